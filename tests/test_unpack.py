"""Archives that mean harm, and archives that do not."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from wsss.data.unpack import unpack
from wsss.errors import UserError

ALL = {".": "."}
Maker = Callable[[Path, dict[str, bytes]], Path]


def zipped(directory: Path, files: dict[str, bytes]) -> Path:
    path = directory / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(directory: Path, files: dict[str, bytes]) -> Path:
    path = directory / "a.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


MAKERS = pytest.mark.parametrize("make", [zipped, tarred], ids=["zip", "tar"])


def written(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


@MAKERS
def test_all_is_unpacked(tmp_path: Path, make: Maker) -> None:
    files = {"a/b.txt": b"1", "a/c/d.txt": b"22", "e": b""}
    assert unpack(make(tmp_path, files), tmp_path / "out", ALL) == 3
    assert written(tmp_path / "out") == files


@MAKERS
def test_what_is_wanted_goes_where_it_is_wanted(tmp_path: Path, make: Maker) -> None:
    files = {"kit/VOC/x": b"1", "kit/VOC/y/z": b"2", "kit/VOCxx/u": b"3", "kit/other": b"4"}
    unpack(make(tmp_path, files), tmp_path / "out", {"kit/VOC": "."})
    assert written(tmp_path / "out") == {"x": b"1", "y/z": b"2"}
    with pytest.raises(UserError, match="has nothing in kit/nowhere; is it the right archive"):
        unpack(tmp_path / make(tmp_path, files), tmp_path / "again", {"kit/nowhere": "there"})


@MAKERS
@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/tmp/out.txt", "..\\out.txt"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, make: Maker, name: str) -> None:
    archive = make(tmp_path, {"a/fine": b"", name: b"bad"})
    with pytest.raises(UserError, match="leads out of the archive's directory"):
        unpack(archive, tmp_path / "deep" / "out", ALL)
    assert not list(tmp_path.rglob("*out.txt")) and not Path("/tmp/out.txt").exists()


@MAKERS
def test_a_bomb_is_refused_before_it_is_large(tmp_path: Path, make: Maker) -> None:
    archive = make(tmp_path, {f"{i}": bytes(10_000_000) for i in range(8)})
    assert archive.stat().st_size < 200_000
    with pytest.raises(UserError, match=r"unpacks to more than .* bytes, 50 times its size"):
        unpack(archive, tmp_path / "out", ALL)
    assert sum(len(content) for content in written(tmp_path / "out").values()) < 30_000_000


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    about = tarfile.TarInfo("a/link")
    about.type, about.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(about)
    with pytest.raises(UserError, match="a/link is a link or device"):
        unpack(tmp_path / "a.tar", tmp_path / "out", ALL)
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    about = zipfile.ZipInfo("link")
    about.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(about, "/etc/passwd")
    with pytest.raises(UserError, match="link is a link"):
        unpack(tmp_path / "a.zip", tmp_path / "out", ALL)


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("same"), io.BytesIO())
    with pytest.raises(UserError, match="same is in it twice"):
        unpack(tmp_path / "a.tar", tmp_path / "out", ALL)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_what_is_no_archive_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<html>not found</html>" * 100)
    with pytest.raises(UserError, match=f"{name}: cannot be unpacked"):
        unpack(tmp_path / name, tmp_path / "out", ALL)


@MAKERS
def test_a_cut_archive_is_named(tmp_path: Path, make: Maker) -> None:
    archive = make(tmp_path, {"a": bytes(range(256)) * 4000})
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "out", ALL)
