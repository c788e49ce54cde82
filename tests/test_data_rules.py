"""From official archives, or what stands for them, to indexes: `snakemake voc12_data` and `coco14_data`."""

import hashlib
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.io import savemat
from support.coco import CLASSES, make_coco
from support.server import Server, serving
from support.workflow import planned, snakemake, write_run

from wsss.data.archives import fetch_archives, read_archives
from wsss.data.index import Index
from wsss.data.palette import read_mask
from wsss.data.shapes import write_shapes
from wsss.data.voc import VOC_CLASSES
from wsss.data.voc_xml import read_annotation
from wsss.errors import UserError
from wsss.store.files import write_text

VOC, COCO = "results/voc12/index", "results/coco14/index"
ROOT = "data/VOCdevkit/VOC2012"


def tar_of(files: Mapping[str, Path | bytes], mode: str = "w") -> bytes:
    """A tar of files by their names in it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, source in files.items():
            content = source if isinstance(source, bytes) else source.read_bytes()
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return packed.getvalue()


def zip_of(directory: Path, root: Path) -> bytes:
    """A zip of a directory, named from `root` on."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(directory.rglob("*")):
            archive.write(path, path.relative_to(root).as_posix())
    return packed.getvalue()


def sbd(mask: np.ndarray) -> bytes:
    """A mask as SBD has it, which knows no void."""
    packed = io.BytesIO()
    content = {"Segmentation": np.where(mask == 255, 0, mask).astype(np.uint8), "CategoriesPresent": [1.0]}
    savemat(packed, {"GTcls": content})
    return packed.getvalue()


def voc_archives(source: Path) -> dict[str, bytes]:
    """The two archives of a data set in VOC's layout; each third mask of `train` is in that of SBD."""
    train = (source / "ImageSets" / "Segmentation" / "train.txt").read_text().split()
    ours, theirs = {}, {}
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        name = path.relative_to(source).as_posix()
        if path.parent.name == "SegmentationClass" and path.stem in train[::3]:
            theirs[f"benchmark_RELEASE/dataset/cls/{path.stem}.mat"] = sbd(read_mask(path))
        elif name != "README.md":
            ours[f"VOCdevkit/VOC2012/{name}"] = path
    other = {"benchmark_RELEASE/README": b"x", "benchmark_RELEASE/dataset/img/a.jpg": b"x"}
    return {"VOCtrainval.tar": tar_of(ours), "benchmark.tgz": tar_of({**other, **theirs}, "w:gz")}


def describe(directory: Path, name: str, server: Server, places: Mapping[str, dict[str, str]]) -> Path:
    """config/archives/<name>.yaml: the size and SHA-256 of all but the last are given."""
    listed: list[dict[str, Any]] = []
    for file, unpack in places.items():
        content = server.files[file]
        digest = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        listed.append({"url": server.url(file), **digest, "unpack": unpack})
    del listed[-1]["bytes"], listed[-1]["sha256"]
    path = directory / "config" / "archives" / f"{name}.yaml"
    write_text(path, yaml.safe_dump({"archives": listed}))
    return path


VOC_PLACES = {
    "VOCtrainval.tar": {"VOCdevkit/VOC2012": "."},
    "benchmark.tgz": {"benchmark_RELEASE/dataset/cls": "SegmentationClassAug"},
}


def prepare_voc(directory: Path, source: Path) -> Server:
    """Make `voc12_data` from archives of a data set, over connections that are cut. Returns the server."""
    with serving(voc_archives(source)) as server:
        describe(directory, "voc12", server, VOC_PLACES)
        data = {"kind": "voc", "root": ROOT, "archives": "config/archives/voc12.yaml"}
        write_run(directory, "voc12", {"dataset": data})
        server.cut_after, server.cuts = len(server.files["VOCtrainval.tar"]) // 3, 2
        status, printed = snakemake(directory, "--cores", "1", "voc12_data")
        assert status == 0, printed
    return server


def check_voc(directory: Path, source: Path, classes: tuple[str, ...]) -> None:
    """Images, labels and masks are those of the data set that the archives were made of."""
    lists = {
        name: (source / "ImageSets" / "Segmentation" / f"{name}.txt").read_text().split()
        for name in ("train", "val")
    }
    for split, ids in {"train_aug": sorted(lists["train"]), "val": lists["val"]}.items():
        index = Index.read(directory / VOC / f"{split}.csv")
        assert [record.id for record in index] == ids and index.classes == classes
        for record in index:
            assert (
                record.labels == read_annotation(source / "Annotations" / f"{record.id}.xml", classes).labels
            )
            assert record.mask is not None
            made, whole = (
                read_mask(directory / record.mask),
                read_mask(source / "SegmentationClass" / f"{record.id}.png"),
            )
            theirs = record.mask.suffix == ".mat"
            assert theirs == (record.id in lists["train"][::3])
            assert np.array_equal(made, np.where(whole == 255, 0, whole) if theirs else whole)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Server]:
    """A directory with the indexes of drawn images in VOC's layout, those images, and the server."""
    directory, source = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("source")
    write_shapes(source, seed=0, train=9, val=4, size=48)
    return directory, source, prepare_voc(directory, source)


def test_archives_become_indexes(made: tuple[Path, Path, Server]) -> None:
    directory, source, server = made
    check_voc(directory, source, tuple((source / "classes.txt").read_text().split()))
    assert sum(bool(asked) for asked in server.asked) == 2 and len(server.asked) == 4, server.asked


def test_what_was_fetched_is_told(made: tuple[Path, Path, Server]) -> None:
    directory, _, server = made
    first, second = json.loads((directory / "results" / "voc12" / "fetched.json").read_text())["archives"]
    assert first["known"] == "given" and first["bytes"] == len(server.files["VOCtrainval.tar"])
    assert second["known"] == "new"
    assert second["sha256"] == hashlib.sha256(server.files["benchmark.tgz"]).hexdigest()
    log = (directory / "results" / "voc12" / "logs" / "fetch_data.log").read_text()
    assert "benchmark.tgz: config/archives/voc12.yaml has no SHA-256" in log and second["sha256"] in log


def test_a_second_run_does_nothing(made: tuple[Path, Path, Server]) -> None:
    directory, _, _ = made
    assert planned(directory, "voc12_data") == {}
    left = sorted(path.name for path in (directory / "data" / "VOCdevkit").iterdir())
    assert left == [".VOC2012.lock", "VOC2012", "VOC2012.archives.json"], "no archive stays"


def test_what_one_has_is_not_fetched(made: tuple[Path, Path, Server], tmp_path: Path) -> None:
    directory, source, _ = made
    shutil.copytree(directory / "config", tmp_path / "config")
    (tmp_path / ROOT).parent.mkdir(parents=True)
    (tmp_path / ROOT).symlink_to(source)
    assert planned(tmp_path, "voc12_data") == {"index_images": 2, "voc12_data": 1}
    (tmp_path / ROOT).unlink()
    assert planned(tmp_path, "voc12_data") == {"fetch_data": 1, "index_images": 2, "voc12_data": 1}


def test_real_photographs(shared: Path, tmp_path: Path) -> None:
    prepare_voc(tmp_path, shared / "voc12-mini")
    check_voc(tmp_path, shared / "voc12-mini", VOC_CLASSES)


def test_coco_from_archives(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for split in ("train2014", "val2014"):
        make_coco(source, layout=split, split=split)
    names = ("annotations", "train2014", "val2014")
    with serving({f"{name}.zip": zip_of(source / name, source) for name in names}) as server:
        describe(tmp_path, "coco14", server, {f"{name}.zip": {name: name} for name in names})
        data = {"kind": "coco", "root": "data/coco14", "archives": "config/archives/coco14.yaml"}
        write_run(tmp_path, "coco14", {"dataset": data})
        server.cut_after, server.cuts = 300, 1
        status, printed = snakemake(tmp_path, "--cores", "1", "coco14_data")
    assert status == 0, printed
    for split in ("train2014", "val2014"):
        index = Index.read(tmp_path / COCO / f"{split}.csv")
        assert len(index) == 4 and index.classes == CLASSES
        assert {record.mask.parent for record in index if record.mask} == {
            Path("results/coco14/painted", split)
        }
        assert (tmp_path / index.records[0].image).is_file()
    assert planned(tmp_path, "coco14_data") == {}


# --- fetching without Snakemake ---


def fetched(directory: Path, server: Server) -> list[dict[str, Any]]:
    listed = describe(directory, "voc12", server, VOC_PLACES)
    return fetch_archives(listed, directory / "root", wait=0, progress=False)


def test_a_killed_fetch_goes_on_with_what_it_has(made: tuple[Path, Path, Server], tmp_path: Path) -> None:
    with serving(dict(made[2].files)) as server:
        whole = server.files.pop("benchmark.tgz")
        server.files["benchmark.tgz"] = b"no archive"
        with pytest.raises(UserError, match=r"benchmark.tgz: cannot be unpacked"):
            fetched(tmp_path, server)
        assert not (tmp_path / "root").exists(), "it appears when it is whole"
        assert not (tmp_path / "root.archives.json").exists(), "what is no archive is not vouched for"
        server.files["benchmark.tgz"] = whole
        before = len(server.asked)
        fetched(tmp_path, server)
        assert len(server.asked) == before + 1, "the first archive was whole already"
    assert (tmp_path / "root" / "SegmentationClassAug").is_dir() and not list(tmp_path.glob(".root.[ap]*"))


def test_a_later_download_must_be_the_first_one(made: tuple[Path, Path, Server], tmp_path: Path) -> None:
    with serving(dict(made[2].files)) as server:
        assert [archive["known"] for archive in fetched(tmp_path, server)] == ["given", "new"]
        assert fetched(tmp_path, server) == []
        shutil.rmtree(tmp_path / "root")
        assert [archive["known"] for archive in fetched(tmp_path, server)] == ["given", "recorded"]
        shutil.rmtree(tmp_path / "root")
        server.files["benchmark.tgz"] += b"\0"
        with pytest.raises(UserError, match=r"benchmark.tgz: has the SHA-256"):
            fetched(tmp_path, server)
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        ({"url": "ftp://a/b.zip"}, "archives.0.url"),
        ({"url": "http://a/b.zip", "sha256": "abc"}, "archives.0.sha256"),
        ({"url": "http://a/b.zip", "size": 3}, "archives.0.size"),
        ({"url": "http://a/b.zip", "unpack": {".": "../x"}}, "under the data set's root"),
    ],
)
def test_a_list_of_archives_is_checked(tmp_path: Path, archive: dict[str, Any], said: str) -> None:
    write_text(tmp_path / "a.yaml", yaml.safe_dump({"archives": [archive]}))
    with pytest.raises(UserError, match=f"a.yaml: (?s:.*){said}"):
        read_archives(tmp_path / "a.yaml")


@pytest.mark.parametrize("name", ["voc12", "coco14"])
def test_shipped_lists_give_what_is_to_be_had(repository: Path, name: str) -> None:
    archives = read_archives(repository / "config" / "archives" / f"{name}.yaml")
    assert all(archive.sha256 for archive in archives)
