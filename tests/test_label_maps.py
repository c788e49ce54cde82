"""Directories of label maps: whole or not there, in order, and refused by name when they are not that."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from wsss.data.palette import voc_palette
from wsss.errors import UserError
from wsss.store.label_maps import LabelShard, write_label_shard

MAPS = [("b", np.array([[0, 1, 255]], np.uint8)), ("a", np.full((2, 3), 20, np.uint8))]


@pytest.mark.parametrize("palette", [None, voc_palette()])
def test_what_was_written_is_read_in_order(tmp_path: Path, palette: np.ndarray | None) -> None:
    write_label_shard(tmp_path / "s" / "000", MAPS, digest="d1", palette=palette)
    shard = LabelShard(tmp_path / "s" / "000")
    assert (shard.ids, shard.digest, len(shard), "a" in shard, "c" in shard) == (
        ("b", "a"),
        "d1",
        2,
        True,
        False,
    )
    for (image_id, array), (expected_id, expected) in zip(shard, MAPS, strict=True):
        assert image_id == expected_id
        assert np.array_equal(array, expected)


def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    write_label_shard(tmp_path / "000", MAPS, digest="d1")

    def failing() -> Iterator[tuple[str, np.ndarray]]:
        yield MAPS[0]
        raise RuntimeError("disk")

    with pytest.raises(RuntimeError):
        write_label_shard(tmp_path / "000", failing(), digest="d2")
    assert LabelShard(tmp_path / "000").digest == "d1"
    assert [path.name for path in tmp_path.iterdir()] == ["000"]


def test_a_new_shard_replaces_the_old(tmp_path: Path) -> None:
    write_label_shard(tmp_path / "000", MAPS, digest="d1")
    write_label_shard(tmp_path / "000", MAPS[:1], digest="d2")
    assert LabelShard(tmp_path / "000").ids == ("b",)
    assert sorted(path.name for path in (tmp_path / "000").iterdir()) == ["b.png", "shard.json"]


@pytest.mark.parametrize("bad", [np.zeros((2, 2), np.int64), np.zeros((2, 2, 3), np.uint8)])
def test_other_arrays_are_refused(tmp_path: Path, bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^x: a map must be uint8"):
        write_label_shard(tmp_path / "000", [("x", bad)], digest="d")


def test_an_image_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^a: occurs twice"):
        write_label_shard(tmp_path / "000", [MAPS[1], MAPS[1]], digest="d")


def test_what_is_missing_or_cut_is_named(tmp_path: Path) -> None:
    write_label_shard(tmp_path / "000", MAPS, digest="d")
    shard = LabelShard(tmp_path / "000")
    with pytest.raises(UserError, match=r"no map of image c among its 2 images"):
        shard["c"]
    path = tmp_path / "000" / "a.png"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match=r"a\.png: cannot be read"):
        shard["a"]
    with pytest.raises(UserError, match="no such file"):
        LabelShard(tmp_path / "001")
