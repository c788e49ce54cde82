"""Whole files or none, and models that say what they are."""

import errno
import json
import math
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from wsss.errors import UserError
from wsss.models import Classifier
from wsss.store.files import (
    atomic,
    atomic_directory,
    read_json,
    remove_parts,
    write_csv,
    write_json,
    write_png,
    write_text,
)
from wsss.store.networks import HEADER, Header, load_network, read_header, save_model


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# ---- whole or not at all -----------------------------------------------------------------------------------


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "a.txt"
    with atomic(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert (
            temporary.parent == path.parent
            and temporary.suffix == ".txt"
            and str(os.getpid()) in temporary.name
        )
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert names(path.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError("mistake"), KeyboardInterrupt(), OSError(errno.EIO, "broken")])
def test_an_error_leaves_what_was_there(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    with pytest.raises(type(error)), atomic(path) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["a.bin"]


def test_a_disk_that_is_full_in_the_end_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems notice only when they have to write for good."""
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"a\.json: no space left on the disk .* The previous file is kept"):
        write_json(path, {"a": 2})
    assert read_json(path) == {"a": 1}
    assert names(tmp_path) == ["a.json"]


def test_a_real_full_disk(tmp_path: Path) -> None:
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(UserError, match="no space left on the disk"), atomic(tmp_path / "a") as temporary:
        temporary.symlink_to(device)
        with open(temporary, "wb") as file:
            file.write(b"some")
    assert names(tmp_path) == []


def test_a_block_that_writes_nothing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic(tmp_path / "a"):
        pass
    assert names(tmp_path) == []


def test_a_directory_that_takes_no_file_is_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    entered = False
    with pytest.raises(OSError), atomic(tmp_path / "file" / "a"):
        entered = True
    assert not entered


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_permissions_follow_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "a.txt", "a")
        write_png(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
        with atomic(tmp_path / "private") as temporary:
            os.close(os.open(temporary, os.O_CREAT, 0o600))
        save_model(tmp_path / "a.safetensors", torch.nn.Linear(1, 1), HEAD)
    finally:
        os.umask(before)
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {
        "a.txt": mode,
        "a.png": mode,
        "private": mode,
        "a.safetensors": mode,
    }


def test_what_killed_writers_left_is_removed(tmp_path: Path) -> None:
    for name in (".a.12.part.pt", ".metrics.7.part.csv", ".b.99.part", "a.pt", ".hidden", "part.txt"):
        (tmp_path / name).write_text("")
    remove_parts(tmp_path)
    assert names(tmp_path) == [".hidden", "a.pt", "part.txt"]


def test_a_file_that_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """That of the same name only, and of no process that still lives."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    lives, other = f".a.{os.getppid()}.part.txt", f".a.{ended.pid}.part.png"
    for name in (f".a.{ended.pid}.part.txt", lives, other):
        (tmp_path / name).write_text("")
    write_text(tmp_path / "a.txt", "1")
    assert names(tmp_path) == sorted([lives, other, "a.txt"])


# ---- formats -----------------------------------------------------------------------------------------------


def test_a_directory_appears_when_it_is_whole(tmp_path: Path) -> None:
    place = tmp_path / "000"
    with atomic_directory(place) as temporary:
        write_text(temporary / "a", "1")
        assert not place.exists()
    with pytest.raises(ValueError, match="mistake"), atomic_directory(place) as temporary:
        write_text(temporary / "b", "2")
        raise ValueError("mistake")
    assert names(tmp_path) == ["000"] and names(place) == ["a"]


def test_directories_that_killed_writers_left_are_removed(tmp_path: Path) -> None:
    """Those of the same name only, and of no process that still lives."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    for name in (f".000.{ended.pid}.part", f".000.{os.getppid()}.part", f".001.{ended.pid}.part"):
        (tmp_path / name).mkdir()
    with atomic_directory(tmp_path / "000"):
        pass
    assert names(tmp_path) == sorted([f".000.{os.getppid()}.part", f".001.{ended.pid}.part", "000"])


@pytest.mark.parametrize("name", ["é" * 120 + ".png", "x" * 251 + ".csv", "y" * 250 + ".json"])
def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path, name: str) -> None:
    part = tmp_path / name
    with atomic(part) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == part.suffix
        temporary.write_text("whole")
    assert part.read_text() == "whole" and os.listdir(tmp_path) == [name]
    with atomic_directory(tmp_path / f"d{name[1:]}") as directory:
        write_text(directory / name, "in it")
    assert (tmp_path / f"d{name[1:]}" / name).is_file() and len(os.listdir(tmp_path)) == 2


def test_json_has_null_for_what_is_no_number(tmp_path: Path) -> None:
    value = {
        "nan": math.nan,
        "inf": [1.0, -math.inf, (np.float32("nan"), 2)],
        "numpy": {"float": np.float32(0.5), "int": np.int64(3), "bool": np.bool_(True)},
        "text": "naïve",
    }
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == {
        "nan": None,
        "inf": [1.0, None, [None, 2]],
        "numpy": {"float": 0.5, "int": 3, "bool": True},
        "text": "naïve",
    }
    assert (tmp_path / "a.json").read_bytes().endswith(b"}\n")


def test_what_is_no_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"{tmp_path}/a\.json: no such file"):
        read_json(tmp_path / "a.json")
    for content in (b"{", b"\x81{}", b"", b"[" * 100_000, b"1" * 5000):
        (tmp_path / "a.json").write_bytes(content)
        with pytest.raises(UserError, match=rf"{tmp_path}/a\.json: not a JSON file"):
            read_json(tmp_path / "a.json")


def test_csv(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [{"x": 1, "y": "a,b"}, {"x": 2.5, "y": 'c"d'}])
    assert (tmp_path / "a.csv").read_bytes() == b'x,y\r\n1,"a,b"\r\n2.5,"c""d"\r\n'


def test_png_with_and_without_a_palette(tmp_path: Path) -> None:
    labels = np.array([[0, 1], [20, 255]], np.uint8)
    palette = np.arange(768, dtype=np.int64).reshape(256, 3) % 256
    write_png(tmp_path / "labels.png", labels, palette)
    write_png(tmp_path / "gray.png", labels)
    write_png(tmp_path / "rgb.png", np.stack([labels] * 3, 2))
    modes = {}
    for name in ("labels", "gray", "rgb"):
        with Image.open(tmp_path / f"{name}.png") as image:
            modes[name] = image.mode
            if name == "labels":
                assert np.array_equal(np.asarray(image), labels)
                assert image.getpalette() == palette.ravel().tolist()
    assert modes == {"labels": "P", "gray": "L", "rgb": "RGB"}


# ---- models ------------------------------------------------------------------------------------------------

HEAD = Header("Classifier", "mobilenetv3_small_050", 16, ("cat", "dog"), "0123456789ab")


def test_a_model_comes_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    saved = Classifier(HEAD.backbone, 2)
    save_model(tmp_path / "a.safetensors", saved, HEAD)
    assert read_header(tmp_path / "a.safetensors") == HEAD
    loaded, header = load_network(tmp_path / "a.safetensors", Classifier, norm="fix")
    assert header == HEAD and header.classes == ("cat", "dog")
    assert not loaded.training and not loaded.train().backbone.net.bn1.training
    ours, theirs = saved.state_dict(), loaded.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_what_is_no_model_of_ours_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(UserError, match=rf"{path}: no such model"):
        read_header(path)
    path.write_bytes(b"hello")
    with pytest.raises(UserError, match=rf"{path}: not a whole safetensors file"):
        read_header(path)
    save_model(path, torch.nn.Linear(1, 1), HEAD)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(UserError, match="not a whole safetensors file"):
        read_header(path)
    for metadata in (
        None,
        {"other": "1"},
        {HEADER: "{"},
        {HEADER: "[1]"},
        {HEADER: json.dumps({"classes": []})},
    ):
        save_file({"a": torch.zeros(1)}, path, metadata=metadata)
        with pytest.raises(UserError, match=rf"{path}: no model of this package"):
            read_header(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"architecture": "AffinityNet"}, "holds a AffinityNet; needed is a Classifier"),
        ({"classes": ("cat",)}, r"classifier\.weight"),
        ({"backbone": "resnet10t"}, "tensors do not fit a resnet10t"),
        ({"backbone": "no_such_net"}, "no_such_net"),
    ],
)
def test_a_header_that_lies_is_found_out(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = tmp_path / "a.safetensors"
    fields = {"architecture": HEAD.architecture, "backbone": HEAD.backbone, "output_stride": 16}
    header = Header(**{**fields, "classes": HEAD.classes, "digest": "", **change})
    save_model(path, Classifier(HEAD.backbone, 2), header)
    with pytest.raises(UserError, match=says) as error:
        load_network(path, Classifier)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 600
