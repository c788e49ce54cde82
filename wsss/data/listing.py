"""The files of a data set by their names, as people and systems write them.

macOS stores `ü` as two characters (NFD), tables have it as one (NFC); cameras write .JPG; folders are links
to another disk. Names are compared in NFC and without suffix, linked folders are followed.
"""

import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from unicodedata import normalize

from wsss.errors import UserError

#: bytes of an id: a file's name may have 255, with its suffix
LONGEST_ID = 250


def nfc(text: str) -> str:
    """A name in Unicode's composed form."""
    return normalize("NFC", text)


def files_under(directory: Path) -> Iterator[Path]:
    """All files under a directory, sorted by path, in linked folders too; hidden ones and cycles left out."""
    return iter(sorted(_walk(directory, frozenset())))


def _walk(directory: Path, above: frozenset[str]) -> Iterator[Path]:
    real = os.path.realpath(directory)
    if real in above:
        return
    for name in _names(directory):
        path = directory / name
        if path.is_dir():
            yield from _walk(path, above | {real})
        elif path.is_file() or path.is_symlink():  # a broken link is named where its file is asked for
            yield path


class Names:
    """Files by name: NFC, without suffix. `suffixes`: those taken, small letters; others are `left_out`."""

    def __init__(self, directory: Path, suffixes: frozenset[str], *, deep: bool = False) -> None:
        """List a directory once; a missing one has no files. deep: folders within, too."""
        self.directory = directory
        self.found: dict[str, list[Path]] = {}
        self.left_out: dict[str, list[Path]] = {}
        if not directory.is_dir():
            return
        files = files_under(directory) if deep else map(directory.joinpath, _names(directory))
        for path in files:
            kind = self.found if path.suffix.lower() in suffixes else self.left_out
            name = nfc(path.relative_to(directory).with_suffix("").as_posix())
            kind.setdefault(name, []).append(path)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and nfc(name) in self.found

    def get(self, name: str) -> Path | None:
        """The file of a name; of several, the first by suffix."""
        return next(iter(self.found.get(nfc(name), ())), None)


def _names(directory: Path) -> list[str]:
    """What is in a directory and not hidden, sorted. Raises UserError where it cannot be listed."""
    try:
        return sorted(name for name in os.listdir(directory) if not name.startswith("."))
    except OSError as error:
        raise UserError(f"{directory}: cannot be listed ({error})") from None


def file_id(name: str) -> str:
    """An id by a path in a folder: one file name, cut and marked where a file system would not take it."""
    flat = name.replace("/", "_")
    encoded = flat.encode(errors="surrogateescape")
    if len(encoded) <= LONGEST_ID:
        return flat
    mark = blake2b(encoded, digest_size=4).hexdigest()
    return f"{encoded[: LONGEST_ID - 9].decode(errors='ignore')}-{mark}"
