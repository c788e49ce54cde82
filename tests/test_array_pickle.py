"""Dicts of arrays from NumPy's pickles: read whoever wrote them, and never run."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wsss.errors import UserError
from wsss.store.array_pickle import read_array_dict


def save(path: Path, value: Any) -> Path:
    np.save(path, np.array(value, dtype=object), allow_pickle=True)
    return path


def with_pickle(path: Path, content: bytes) -> Path:
    """A NumPy file of one object, that of any pickle."""
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        file.write(content)
    return path


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, bool, ">f4"])
def test_a_dict_of_arrays_is_read(tmp_path: Path, dtype: Any) -> None:
    arrays = {9: np.array([0, 1, 1, 0], dtype), 25: np.eye(4, dtype=dtype)[2]}
    found = read_array_dict(save(tmp_path / "a.npy", arrays))
    assert list(found) == [9, 25]
    assert all(np.array_equal(found[key], arrays[key]) for key in arrays)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL))
def test_every_protocol_is_read(tmp_path: Path, protocol: int) -> None:
    value = np.array({1: np.array([[1.5, -2], [3, 4]], order="F"), np.int64(2): np.zeros(3)}, dtype=object)
    found = read_array_dict(with_pickle(tmp_path / "a.npy", pickle.dumps(value, protocol)))
    assert np.array_equal(found[1], [[1.5, -2], [3, 4]]) and found[2].shape == (3,)


def test_names_of_older_numpy_are_known(tmp_path: Path) -> None:
    content = pickle.dumps(np.array({7: np.ones(2)}, dtype=object), 2)
    assert b"numpy._core.multiarray" in content
    old = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert np.array_equal(read_array_dict(with_pickle(tmp_path / "a.npy", old))[7], [1, 1])


class Harm:
    """Makes a directory when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("place", ["all", "entry", "key"])
def test_nothing_is_run(tmp_path: Path, place: str) -> None:
    harm = Harm(tmp_path / "harm")
    value: Any = {"all": harm, "entry": {1: harm}, "key": {harm: np.ones(2)}}[place]
    content = pickle.dumps(np.array(value, dtype=object))
    with pytest.raises(UserError, match=r"a.npy: .*it would call posix.mkdir, which .* it was not called"):
        read_array_dict(with_pickle(tmp_path / "a.npy", content))
    assert not (tmp_path / "harm").exists()
    np.load(tmp_path / "a.npy", allow_pickle=True)
    assert (tmp_path / "harm").exists(), "it would have"


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"c_codecs\nencode\n(Vabc\nVzip\ntR.",
        b"cnumpy\nndarray\n(I9\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(tR(I1\n(I1\ntcnumpy\ndtype\n(S'O'\ntRI00\nS'12345678'\ntb.",
        b"Pname\n.",
        b"",
        b"garbage",
    ],
    ids=["eval", "codec", "ndarray", "objects", "persistent", "nothing", "garbage"],
)
def test_a_program_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match=r"a.npy: "):
        read_array_dict(with_pickle(tmp_path / "a.npy", content))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1, 2], "must hold a dict"),
        ({"a": np.ones(2)}, "has the key 'a'"),
        ({1: [1, 0]}, "entry 1 must be an array"),
        ({1: np.array([None, 1])}, "not a NumPy file|entry 1 must be an array"),
        ({1: np.ones(2), "1": np.ones(2)}, "names an image twice"),
    ],
)
def test_another_object_is_named(tmp_path: Path, value: Any, said: str) -> None:
    with pytest.raises(UserError, match=f"a.npy: .*({said})"):
        read_array_dict(with_pickle(tmp_path / "a.npy", pickle.dumps(_alone(value))))


def _alone(value: Any) -> np.ndarray:
    array = np.empty((), dtype=object)
    array[()] = value
    return array


def test_another_file_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "n.npy", np.ones((3, 4)))
    (tmp_path / "t.npy").write_text("text")
    for name, said in (
        ("n.npy", "array of float64"),
        ("t.npy", "not a NumPy file"),
        ("no.npy", "No such file"),
    ):
        with pytest.raises(UserError, match=f"{name}: .*{said}"):
            read_array_dict(tmp_path / name)
