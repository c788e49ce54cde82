"""The review: the doubtful photographs first, one key for a decision, in a real browser."""

import http.client
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from support.folder_run import make_mine, square

from wsss import cli
from wsss.data.index import Index
from wsss.evaluation.quality import agreement, qualities
from wsss.report.review import Item, Review
from wsss.report.review_server import serve
from wsss.runs.run import Run
from wsss.store.cams import CamMaps
from wsss.store.label_maps import LabelShard
from wsss.store.maps import write_shard

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FILE = Path("corrections/mine/review.json")


def test_agreement_is_the_mean_iou_of_pairs() -> None:
    left, right = np.zeros((2, 4), np.uint8), np.zeros((2, 4), np.uint8)
    left[:, :2], right[:, :3] = 1, 1
    assert agreement([left, right], [1]) == pytest.approx(4 / 6)
    assert agreement([left, right, right], [1]) == pytest.approx((4 / 6 + 4 / 6 + 1) / 3)
    right[:, 2] = 255
    assert agreement([left, right], [1]) == 1 and agreement([left], [1]) == 1
    assert agreement([left, left], [1, 2]) == 0.5, "a class that no map shows"
    assert agreement([0 * left, 0 * left], []) == 1 and agreement([left, 0 * left], []) == 0


@pytest.fixture
def run(here: None, tmp_path: Path) -> Run:
    """With CAMs of the training images: that of a is nowhere, of b and d as the pseudo labels."""
    mine = make_mine(tmp_path)
    index = Index.read(mine.output("index", "train"))
    for shard in range(2):
        maps = []
        for record in index.shard(shard, 2):
            keys = np.array([0, *(("cat", "dog").index(name) + 1 for name in record.labels)])
            scores = np.zeros((len(keys) - 1, *square(()).shape), np.float32)
            for place, key in enumerate(keys[1:]):
                scores[place] = (square(record.labels) == key) * (record.id != "f_a")
            maps.append(CamMaps(record.id, square(()).shape, keys, {}, {1: scores}))
        write_shard(mine.output("cams", "train", f"{shard:03d}"), maps, digest=mine.digest("cams"))
    return mine


@pytest.fixture
def review(run: Run) -> Review:
    index = Index.read(run.output("index", "train"))
    shards = [LabelShard(run.output("pseudo_labels", "train", f"{number:03d}")) for number in range(2)]
    found = enumerate(qualities(run, index, progress=False))
    items = [Item(record, quality, shards[place % 2]) for place, (record, quality) in found]
    return Review(items, index.classes, FILE)


@pytest.fixture
def address(review: Review) -> Iterator[int]:
    server = serve(review, 0, title="mine")
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_the_worst_come_first(review: Review) -> None:
    queue = review.queue()
    assert [(item["id"], item["quality"]) for item in queue["items"]] == [
        ("f_a", 0.0),
        ("f_b", 0.5),
        ("c", 1.0),
        ("d", 1.0),
    ]
    assert [each["name"] for each in queue["classes"]] == ["cat", "dog"]


def asked(port: int, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    sent = {"Content-Type": "application/json", **headers} if body is not None else headers
    connection.request(method, path, json.dumps(body) if body is not None else None, sent)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_only_this_machine_and_its_page_are_answered(address: int) -> None:
    assert asked(address, "GET", "/")[0] == 200
    assert asked(address, "GET", "/photograph/0")[1][:2] == b"\xff\xd8"
    assert asked(address, "GET", "/", Host="evil.example")[0] == 403
    assert asked(address, "GET", "/../config/mine.yaml")[0] == 404
    decision = {"place": 0, "decision": "reject"}
    assert asked(address, "POST", "/decide", decision, **{"Content-Type": "text/plain"})[0] == 404
    for wrong in ({"place": 99, "decision": "accept"}, {"place": 0, "decision": "x"}, {"place": 0}, [1]):
        status = asked(address, "POST", "/decide", wrong)[0]
        assert status == (200 if wrong == {"place": 0} else 400), wrong
    assert not json.loads(FILE.read_text())["images"]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [390, 1280])
def test_keys_decide_in_a_browser(address: int, review: Review, width: int) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        page = browser.new_page(viewport={"width": width, "height": 800})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{address}/")
        page.wait_for_function("document.getElementById('place').textContent === '1 of 4'")
        page.wait_for_function("[...document.images].every(each => each.complete && each.naturalWidth)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(
            "[...document.querySelectorAll('button')]"
            ".every(each => each.getBoundingClientRect().right <= innerWidth)"
        )
        page.keyboard.press("r")
        page.wait_for_function("document.getElementById('name').textContent === 'f_b'")
        page.keyboard.press("1")  # not a cat after all
        page.wait_for_function("document.getElementById('state').textContent.startsWith('accepted')")
        page.keyboard.press("ArrowRight")
        page.click("#accept")
        page.wait_for_function("document.getElementById('name').textContent === 'd'")
        page.keyboard.press("a")
        page.wait_for_function("document.getElementById('state').textContent.includes('4 decided')")
        page.keyboard.press("u")
        page.wait_for_function("document.getElementById('state').textContent.includes('open, 3')")
        assert complaints == []
        browser.close()
    assert json.loads(FILE.read_text())["images"] == {
        "f_a": {"decision": "reject"},
        "f_b": {"decision": "accept", "labels": ["dog"]},
        "c": {"decision": "accept"},
    }
    assert cli.main(["corrections", "import", str(FILE), "--run", "mine"]) == 0
