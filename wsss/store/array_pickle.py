"""NumPy's pickled dicts of arrays, as image-level labels are spread, read without running anything.

A pickle is a program: it may call whatever it names. This reader knows four names, and what they lead to is
made here: no object of NumPy's or anybody's is called by the file. All else is refused.
"""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wsss.errors import UserError

#: the arrays' types that are read: truth values, integers, floats
KINDS = "biuf"


def read_array_dict(path: str | Path) -> dict[int, np.ndarray]:
    """Read a .npy file that holds one dict of integers to arrays of numbers.

    Raises UserError when the file is anything else, see `read_dict`, and for arrays of objects.
    """
    found = read_dict(path)
    arrays = {_key(path, key): _values(path, key, value) for key, value in found.items()}
    if len(arrays) < len(found):
        raise UserError(f"{path}: names an image twice; each may be there once")
    return arrays


def read_dict(path: str | Path, more: Mapping[tuple[str, str], Any] | None = None) -> Mapping[Any, Any]:
    """Read a .npy file that holds one dict; what is an array in it, `numbers` tells.

    more: what the pickle may name beyond what arrays need, by module and name, and what stands in for it.
    Raises UserError when the file is anything else: another format, another object, or a pickle that names
    what such a dict does not need, which is told and not called.
    """
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, _, dtype = read[version](file)
            if shape != () or dtype.hasobject is False:
                raise UserError(f"{path}: holds an array of {dtype}, must hold one dict of arrays")
            found = _Reader(file, {**KNOWN, **(more or {})}).load()
    except UserError:
        raise
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); mend the path, or fetch it again"
        ) from None
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise UserError(f"{path}: not a NumPy file with a dict of arrays ({error}); fetch it again") from None
    # The dict is the one element of an array of objects.
    if isinstance(found, _Array):
        found = found.objects[0] if found.objects else None
    if not isinstance(found, Mapping):
        raise UserError(f"{path}: holds a {type(found).__name__}, must hold a dict of arrays")
    return found


def numbers(value: Any) -> np.ndarray | None:
    """The array that a value of a dict is; None where it is no array of numbers."""
    return value.values if isinstance(value, _Array) else None


def _key(path: str | Path, key: Any) -> int:
    if isinstance(key, str) and key.isdigit():
        return int(key)
    if isinstance(key, np.integer | int) and not isinstance(key, bool):
        return int(key)
    raise UserError(f"{path}: has the key {key!r}; keys must be the images' numbers")


def _values(path: str | Path, key: Any, value: Any) -> np.ndarray:
    found = numbers(value)
    if found is None:
        raise UserError(f"{path}: entry {key} must be an array of numbers")
    return found


class _Dtype:
    """Stands for numpy.dtype: keeps its name and byte order."""

    def __init__(self, name: str, *_: Any) -> None:
        self.name, self.order = str(name), "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])

    @property
    def numpy(self) -> np.dtype:
        """The type itself, of numbers alone."""
        found = np.dtype(self.name)
        if found.kind not in KINDS:
            raise pickle.UnpicklingError(f"an array of {found}, allowed are numbers")
        return found.newbyteorder(">") if self.order == ">" else found


class _Array:
    """Stands for numpy.ndarray: keeps numbers, or a list of what else it holds."""

    values: np.ndarray | None = None
    objects: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, content = state
        if isinstance(content, list):
            self.objects = tuple(content)
            return
        flat = np.frombuffer(_bytes(content), dtype.numpy)
        self.values = flat.reshape(shape, order="F" if fortran else "C")


def _array(*_: Any) -> _Array:
    return _Array()


def _scalar(dtype: _Dtype, content: bytes | str) -> Any:
    return np.frombuffer(_bytes(content), dtype.numpy)[0]


def _bytes(content: bytes | str) -> bytes:
    # Python 2 wrote what is read as text of this encoding.
    return content.encode("latin1") if isinstance(content, str) else content


def _encode(text: str, encoding: str) -> bytes:
    # How protocol 2 writes bytes; the codec's name would else choose what runs.
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes as {encoding}, allowed is latin1")
    return text.encode("latin1")


KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): "ndarray",  # an argument of the next, never called
    ("_codecs", "encode"): _encode,
    **{
        (f"numpy.{core}.multiarray", name): stand_in
        for core in ("core", "_core")
        for name, stand_in in (("_reconstruct", _array), ("scalar", _scalar))
    },
}


class _Reader(pickle.Unpickler):
    """Knows the names in `known` and no others."""

    def __init__(self, file: io.BufferedReader, known: Mapping[tuple[str, str], Any]) -> None:
        super().__init__(file, encoding="latin1")
        self.known = known

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.known:
            why = f"it would call {module}.{name}, which no dict of arrays does; it was not called"
            raise pickle.UnpicklingError(why)
        return self.known[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to something outside of the file")
