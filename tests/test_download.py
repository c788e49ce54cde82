"""A file from a server that cuts connections, sends wrong bytes, forgets, and changes its mind."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.server import Server, serving

from wsss.data.download import ATTEMPTS, Download, download
from wsss.errors import UserError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving({"data.zip": CONTENT, "empty.zip": b""}) as started:
        yield started


def fetch(server: Server, directory: Path, **must: object) -> Download:
    return download(server.url("data.zip"), directory / "data.zip", wait=0, **must)  # type: ignore[arg-type]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    found = fetch(server, tmp_path / "store", size=len(CONTENT), sha256=SHA256)
    assert found == Download(len(CONTENT), SHA256)
    assert (tmp_path / "store" / "data.zip").read_bytes() == CONTENT
    assert names(tmp_path / "store") == ["data.zip"]
    assert fetch(server, tmp_path / "store", sha256=SHA256) == found
    assert len(server.asked) == 1, "a whole file is not asked for again"


@pytest.mark.parametrize("tag", ["", '"a"'])
def test_an_interrupted_download_resumes(server: Server, tmp_path: Path, tag: str) -> None:
    server.cut_after, server.cuts, server.tags = 700_000, 4, {"data.zip": tag}
    assert fetch(server, tmp_path, sha256=SHA256).size == len(CONTENT)
    assert server.asked == ["", *(f"bytes={700_000 * part}-" for part in (1, 2, 3, 4))]
    assert (tmp_path / "data.zip").read_bytes() == CONTENT
    assert names(tmp_path) == ["data.zip"]


def test_a_later_process_goes_on(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.zip.part").write_bytes(CONTENT[:1_000_000])
    fetch(server, tmp_path, sha256=SHA256)
    assert server.asked == ["bytes=1000000-"]


def test_a_server_that_cannot_go_on_begins_anew(server: Server, tmp_path: Path) -> None:
    server.ranges, server.cut_after, server.cuts = False, 2_000_000, 1
    assert fetch(server, tmp_path, sha256=SHA256).sha256 == SHA256
    assert len(server.asked) == 2


def test_a_part_that_is_whole_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.zip.part").write_bytes(CONTENT)
    assert fetch(server, tmp_path, sha256=SHA256).size == len(CONTENT)
    assert server.asked == [f"bytes={len(CONTENT)}-"]


def test_a_part_that_is_too_long_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.zip.part").write_bytes(CONTENT + b"more")
    assert fetch(server, tmp_path, sha256=SHA256).sha256 == SHA256
    assert server.asked[-1] == ""


def test_a_part_of_another_version_is_not_joined(server: Server, tmp_path: Path) -> None:
    """By the server's mark where it has one, by the SHA-256 in the end where it has none."""
    (tmp_path / "data.zip.part").write_bytes(b"x" * 1_000_000)
    (tmp_path / "data.zip.part.tag").write_text('"old"')
    server.tags = {"data.zip": '"new"'}
    assert fetch(server, tmp_path).sha256 == SHA256
    (tmp_path / "data.zip").unlink()
    server.tags, server.asked = {}, []
    (tmp_path / "data.zip.part").write_bytes(b"x" * 1_000_000)
    assert fetch(server, tmp_path, sha256=SHA256).sha256 == SHA256
    assert server.asked == ["bytes=1000000-", ""]


def test_wrong_bytes_are_refused_and_removed(server: Server, tmp_path: Path) -> None:
    server.files["data.zip"] = CONTENT[:-1] + b"?"
    with pytest.raises(UserError, match=f"data.zip: has the SHA-256 .*, must have {SHA256}") as caught:
        fetch(server, tmp_path, sha256=SHA256)
    assert hashlib.sha256(server.files["data.zip"]).hexdigest() in str(caught.value)
    assert names(tmp_path) == []


def test_a_file_of_another_size_is_not_even_fetched(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="server's file has 3000000 bytes, must have 3000001"):
        fetch(server, tmp_path, size=len(CONTENT) + 1)
    assert names(tmp_path) == []


def test_what_is_not_there_is_told_at_once(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.zip: the server says 404"):
        download(server.url("none.zip"), tmp_path / "none.zip", wait=0)
    assert len(server.asked) == 1 and names(tmp_path) == []


def test_an_overloaded_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.answers = [503, 429, 500]
    assert fetch(server, tmp_path).sha256 == SHA256


def test_a_server_that_gives_nothing_ends_it_and_the_part_stays(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.zip.part").write_bytes(CONTENT[:1000])
    server.answers = [503] * 100
    with pytest.raises(UserError, match=f"503 .*, {ATTEMPTS} times in a row; 1000 bytes are kept in .*part"):
        fetch(server, tmp_path)
    assert len(server.asked) == ATTEMPTS
    server.answers = []
    assert fetch(server, tmp_path).sha256 == SHA256


def test_nobody_answers(tmp_path: Path) -> None:
    with serving({}) as server:
        url = server.url("data.zip")
    with pytest.raises(UserError, match=r"(?s)refused.*times in a row; 0 bytes"):
        download(url, tmp_path / "data.zip", wait=0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_is_told_and_the_part_kept(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.zip.part").symlink_to("/dev/full")
    with pytest.raises(UserError, match="No space left on device; the part is kept"):
        fetch(server, tmp_path)
