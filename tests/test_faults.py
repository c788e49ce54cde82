"""What goes wrong in the world: one message that names it, a status that says so, nothing half-written.

The scripts of the rules are called as Snakemake calls them, in this process. Faults that concern one module
only are tested with that module.
"""

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands_in_one_process import status_of
from safetensors.torch import save_file
from test_chain import WHOLE, make
from test_workflow import command, write_run
from toy_faults import ODD, make_odd_data, malicious, save_image, save_mask

from wsss.data.index import Index, Record
from wsss.data.label_maps import LabelShard, write_label_shard
from wsss.data.maps import ScoreMaps, write_shard
from wsss.errors import UserError
from wsss.files import atomic, write_csv, write_json, write_png, write_text
from wsss.inference.cams import cam_maps
from wsss.model_file import Header, save_model
from wsss.models import Classifier
from wsss.runs import Run, load_run
from wsss.training.checkpoint import Checkpoints

BACKBONE = "mobilenetv3_small_050"
VOC = {"kind": "voc", "root": "data", "train": "train"}


@pytest.fixture
def run(here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run `whole` on a few images, in whose directory the process is."""
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "orig_argv", sys.orig_argv)
    write_run(tmp_path, "whole", {**WHOLE, "dataset": VOC})
    make_odd_data(tmp_path / "data", ["plain", "other", "both", "nothing"])
    return load_run("whole")


@pytest.fixture
def call(run: Run, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run a rule's script; its status and what it says."""

    def called(script: str, stage: str, *arguments: str | Path) -> tuple[int, str]:
        module = f"workflow.scripts.{script}"
        words = ["python", "-m", module, "--run", run.name, "--config", run.section(stage)]
        status = status_of(shlex.join([*words, "--threads", "1", *map(str, arguments)]))
        return status, capsys.readouterr().err

    return called


def index(call: Callable[..., tuple[int, str]]) -> tuple[int, str]:
    """Make the training split's index."""
    return call("index_images", "index", "--split", "train", "--out", "train.csv")


def left(directory: Path) -> list[str]:
    """Names of what lies there, hidden files too."""
    return sorted(path.name for path in directory.iterdir())


# --- data ---


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "mask of another size": (
        lambda root: save_mask(root, "plain", np.zeros((39, 56), np.uint8)),
        "plain: data/SegmentationClass/plain.png: mask is 56x39 but data/JPEGImages/plain.jpg is 56x40",
    ),
    "unknown value": (
        lambda root: save_mask(root, "plain", np.full((40, 56), 7, np.uint8)),
        "plain: data/SegmentationClass/plain.png: mask holds [7]; allowed are 0..3 and 255",
    ),
    "pickle as mask": (
        lambda root: (root / "SegmentationClass" / "plain.png").write_bytes(malicious(root / "ran")),
        "plain: data/SegmentationClass/plain.png: mask does not open",
    ),
    "no image": (
        lambda root: (root / "JPEGImages" / "plain.jpg").write_bytes(b"some"),
        "plain: data/JPEGImages/plain.jpg: image does not open",
    ),
    "id twice": (
        lambda root: write_text(root / "ImageSets" / "Segmentation" / "train.txt", "plain\nother\nplain\n"),
        "plain: occurs twice; every id may occur once",
    ),
    "unknown class": (
        lambda root: write_text(root / "classes.txt", "b\nc\n"),
        "plain: unknown class 'a'; known are b, c",
    ),
    "empty split": (
        lambda root: write_text(root / "ImageSets" / "Segmentation" / "train.txt", "\n"),
        "the split has no images",
    ),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_an_index_of_spoilt_data_is_not_made(
    call: Callable[..., tuple[int, str]], tmp_path: Path, fault: str
) -> None:
    spoil, says = SPOILT[fault]
    spoil(tmp_path / "data")
    status, said = index(call)
    assert status == 1 and says in said and "Traceback" not in said, said
    assert left(tmp_path) == ["config", "data"] and not (tmp_path / "data" / "ran").exists()


def test_a_cut_image_stops_a_training_by_name(call: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """Its header is whole: the index, which decodes no images, takes it."""
    make_odd_data(tmp_path / "data", [name for name in ODD if ODD[name][0][0] > 30 and ODD[name][1]])
    _cut(tmp_path / "data" / "JPEGImages" / "plain.jpg")
    assert index(call)[0] == 0
    outputs = ("--out", "model.safetensors", "--metrics", "metrics.csv")
    status, said = call("train_oc", "oc", "--index", "train.csv", *outputs)
    assert status == 1 and "data/JPEGImages/plain.jpg: image does not decode" in said, said
    assert "Traceback" not in said and not (tmp_path / "model.safetensors").exists()


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole chain on images that are odd in all ways that are allowed, and a split of one image."""
    directory = tmp_path_factory.mktemp("odd")
    make_odd_data(directory / "data")
    batch = {"optimisation": {**WHOLE["priors"]["optimisation"], "batch": 4}}
    sections = {name: {**WHOLE[name], **batch} for name in ("oc", "priors")}
    write_run(directory, "whole", {**WHOLE, **sections, "dataset": VOC})
    make(directory, "results/whole/val_miou.txt", "results/whole/metrics/masks.train.json")
    return directory


def test_odd_images_go_through_the_whole_chain(odd: Path) -> None:
    """1 x 1 pixel, grey, CMYK, 16 bits, an EXIF rotation, no labels, a class that never occurs."""
    about = json.loads((odd / "results" / "whole" / "index" / "train.json").read_text())
    assert about["images"] == len(ODD) and about["images_per_class"]["never"] == 0
    made = {}
    for shard in range(2):
        made |= dict(LabelShard(odd / "results" / "whole" / "masks" / "train" / f"{shard:03d}"))
    assert {name: mask.shape for name, mask in made.items()} == {name: ODD[name][0] for name in ODD}
    scores = json.loads((odd / "results" / "whole" / "metrics" / "masks.train.json").read_text())
    assert scores["iou"]["never"] in (None, 0.0)


def test_a_split_of_one_image_is_scored(odd: Path) -> None:
    assert json.loads((odd / "results" / "whole" / "index" / "val.json").read_text())["images"] == 1
    assert float((odd / "results" / "whole" / "val_miou.txt").read_text().split()[0]) >= 0


@pytest.mark.slow
def test_a_very_large_image_has_cams(here: None, tmp_path: Path) -> None:
    path = save_image(tmp_path, "large", np.zeros((4000, 6000, 3), np.uint8))
    images = Index((Record("large", path, None, ("a",)),), ("a",), "train", "d")
    (maps,) = cam_maps(Classifier(BACKBONE, 1), images, scales=[1.0], progress=False)
    assert maps.size == (4000, 6000) and maps.scales[1.0].shape == (1, 250, 375)


# --- models and labels of others ---


def spoilt_models(root: Path) -> dict[str, tuple[bytes, str]]:
    """What may stand in place of a model, and what is said of it."""
    whole, bare = root / "whole.safetensors", root / "bare.safetensors"
    network = Classifier(BACKBONE, 3)
    save_model(whole, network, Header("Classifier", BACKBONE, 16, ("a", "b", "never"), "d"))
    save_file({"weight": torch.zeros(3)}, bare)
    other = root / "other.safetensors"
    save_model(other, network, Header("PoolNet", BACKBONE, 16, ("a", "b", "never"), "d"))
    later = root / "later.safetensors"
    save_file({"w": torch.zeros(1)}, later, metadata={"wsss": json.dumps({"architecture": "Next", "new": 1})})
    return {
        "cut": (whole.read_bytes()[:-1000], "not a whole safetensors file"),
        "pickle": (malicious(root / "ran"), "not a whole safetensors file"),
        "foreign": (bare.read_bytes(), "no model of this package"),
        "of another version": (later.read_bytes(), "no model of this package"),
        "another network": (other.read_bytes(), "holds a PoolNet; needed is a Classifier"),
        "another configuration": (whole.read_bytes(), "made from another configuration"),
    }


def test_what_is_no_model_of_the_run_is_refused_and_not_run(
    call: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    assert index(call)[0] == 0
    for content, says in spoilt_models(tmp_path).values():
        (tmp_path / "model.safetensors").write_bytes(content)
        arguments = ("--index", "train.csv", "--model", "model.safetensors", "--shard", "0")
        status, said = call("make_cams", "cams", *arguments, "--out", "out/000.safetensors")
        assert status == 1 and f"error: model.safetensors: {says}" in said and "Traceback" not in said, said
        assert not (tmp_path / "ran").exists()
        assert not (tmp_path / "out").exists() or left(tmp_path / "out") == []


def test_labels_that_are_a_pickle_are_refused_and_not_run(
    call: Callable[..., tuple[int, str]], run: Run, tmp_path: Path
) -> None:
    assert index(call)[0] == 0
    images = Index.read("train.csv")
    for shard in range(2):
        part = images.shard(shard, 2)
        maps = [(record.id, np.zeros(ODD[record.id][0], np.uint8)) for record in part]
        write_label_shard(tmp_path / f"{shard:03d}", maps, digest=run.digest("pseudo_labels"))
    arguments = ("--labels", "pseudo_labels", "--index", "train.csv", "--maps", "000", "001")
    for name, says in {"plain.png": "cannot be read", "shard.json": "not a JSON file"}.items():
        spoilt = tmp_path / "000" / name
        before = spoilt.read_bytes()
        spoilt.write_bytes(malicious(tmp_path / "ran"))
        status, said = call("evaluate_labels", "pseudo_labels", *arguments, "--out", "scores.json")
        assert status == 1 and f"000/{name}: {says}" in said and "Traceback" not in said, said
        assert not (tmp_path / "ran").exists() and not (tmp_path / "scores.json").exists()
        spoilt.write_bytes(before)


# --- the disk ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root can make a small file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _write_shard(path: Path) -> None:
    maps = ScoreMaps("large", (400, 400), np.array([0, 1]), {1.0: np.ones((1, 400, 400), np.float32)})
    write_shard(path, [maps], digest="d")


def _write_text_by_hand(path: Path) -> None:
    with atomic(path) as temporary, open(temporary, "wb") as file:
        file.write(bytes(2**20))


WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: write_text(path, "x" * 2**20),
    "json": lambda path: write_json(path, ["x" * 1000] * 1000),
    "csv": lambda path: write_csv(path, [{"a": "x" * 1000}] * 1000),
    "png": lambda path: write_png(path.with_suffix(".png"), _noise(800, 800)),
    "score maps": _write_shard,
    "label maps": lambda path: write_label_shard(path, [("large", _noise(800, 800))], digest="d"),
    "model": lambda path: save_model(path, torch.nn.Linear(400, 400), Header("Linear", "", 1, (), "d")),
    "checkpoint": lambda path: Checkpoints(path.parent, "d").save(1, {"w": torch.zeros(2**18)}),
    "bytes": _write_text_by_hand,
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_named_and_nothing_stays_half_written(small_disk: Path, writer: str) -> None:
    write_text(small_disk / "before", "all that was there")
    with pytest.raises(UserError, match=r"(no space left on the disk|cannot be written)"):
        WRITERS[writer](small_disk / "large")
    assert left(small_disk) == ["before"] and (small_disk / "before").read_text() == "all that was there"


def test_a_rule_on_a_full_disk_says_so(
    call: Callable[..., tuple[int, str]], run: Run, small_disk: Path
) -> None:
    assert index(call)[0] == 0
    save_model(Path("model.safetensors"), Classifier(BACKBONE, 3), _header(run))
    with pytest.raises(OSError, match="No space left"), open(small_disk / "full", "wb", buffering=0) as full:
        while True:
            full.write(bytes(4096))
    arguments = ("--index", "train.csv", "--model", "model.safetensors", "--shard", "0")
    out = small_disk / "000.safetensors"
    status, said = call("make_cams", "cams", *arguments, "--out", out)
    assert status == 1 and f"error: {out}: no space left on the disk" in said, said
    assert "Traceback" not in said and left(small_disk) == ["full"]


def _header(run: Run) -> Header:
    return Header("Classifier", BACKBONE, 16, ("a", "b", "never"), run.digest("priors"))


# --- two at once ---


def test_a_second_snakemake_on_the_same_files_is_sent_away(run: Run, tmp_path: Path) -> None:
    target = ("--cores", "1", "results/whole/index/train.csv")
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    first = subprocess.Popen(command(*target), cwd=tmp_path, **pipes)
    locks = tmp_path / ".snakemake" / "locks"
    while not (locks.is_dir() and any(locks.iterdir())):
        assert first.poll() is None, first.communicate()
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # it holds its lock for as long as is needed
    second = subprocess.run(command(*target), cwd=tmp_path, **pipes)
    first.send_signal(signal.SIGCONT)
    assert second.returncode == 1 and "Directory cannot be locked" in second.stdout, second.stdout
    assert first.wait(120) == 0 and (tmp_path / "results" / "whole" / "index" / "train.csv").is_file()
