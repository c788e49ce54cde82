"""Whole files or none: everything is written beside its place and moved there.

A reader, a killed job or a full disk can then never leave half a file under the final name.
"""

import csv
import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wsss.errors import UserError

#: marks a file that is not whole yet
_PART = ".part"
#: bytes of a name; file systems take 255, and a temporary one has a process id and more
LONGEST_NAME = 220
#: errors of the system for a full disk, and for an exhausted quota
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it there when the block ends without an error.

    The temporary name keeps the suffix (writers choose the format by it) and carries the process id, so
    that two writers never share it. Permissions follow the umask, as colleagues expect, whatever those are
    that a writer gives its file. What killed writers of the same path have left behind is removed. Raises
    UserError when the disk is full, whatever the writer makes of it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in _parts(path.parent):
        if left.name.startswith(f".{_mark(path)}.") and left.suffix == path.suffix and _is_orphaned(left):
            left.unlink(missing_ok=True)
    temporary = path.with_name(f".{_mark(path)}.{os.getpid()}{_PART}{path.suffix}")
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        temporary.unlink()
        yield temporary
        with open(temporary, "rb") as written:
            os.fchmod(written.fileno(), stat.S_IMODE(mode))
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except Exception as error:
        if disk_is_full(error):
            raise UserError(
                f"{path}: no space left on the disk ({error}). The previous file is kept; "
                "free some space and start again."
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _mark(path: Path) -> str:
    """What a temporary name calls a file: its stem or, where the name would be too long, a hash of it."""
    if len(os.fsencode(path.name)) <= LONGEST_NAME:
        return path.stem
    return hashlib.blake2b(os.fsencode(path.stem), digest_size=16).hexdigest()


@cache
def _parts(directory: Path) -> tuple[Path, ...]:
    """Parts in a directory when this process first asked; asking for every file would take too long."""
    return tuple(directory.glob(f".*{_PART}*"))


def _mark_of_directory(path: Path) -> str:
    return path.name if len(os.fsencode(path.name)) <= LONGEST_NAME else _mark(path)


def _is_orphaned(part: Path) -> bool:
    """Whether the process that wrote this part has ended."""
    number = re.search(rf"\.(\d+){re.escape(_PART)}", part.name)
    return number is not None and not Path("/proc", number[1]).exists()


def is_there(directory: Path) -> bool:
    """Whether a directory exists and is not empty."""
    return directory.is_dir() and any(directory.iterdir())


@contextmanager
def atomic_directory(path: str | Path) -> Iterator[Path]:
    """Yield an empty directory beside `path`; it replaces what is there when the block ends without an error.

    What killed writers of the same path have left behind is removed, unless such a process still lives.
    """
    path = Path(path)
    for left in path.parent.glob(f".{escape(_mark_of_directory(path))}.*{_PART}"):
        if _is_orphaned(left):
            shutil.rmtree(left, ignore_errors=True)
    temporary = path.with_name(f".{_mark_of_directory(path)}.{os.getpid()}{_PART}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def disk_is_full(error: Exception) -> bool:
    """Whether an error says that a disk is full. Libraries in C++ report it by its message only."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _FULL
    return any(os.strerror(number) in str(error) for number in _FULL)


def remove_parts(directory: Path) -> None:
    """Remove the temporary files that killed writers left behind. Nobody may be writing there."""
    for part in directory.glob(f".*{_PART}*"):
        part.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically. NaN is written as null: JSON knows no NaN."""
    write_text(path, json.dumps(_without_nan(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file. Raises UserError naming the file when it is missing or no JSON."""
    try:
        return json.loads(Path(path).read_bytes())  # in UTF-8, or UTF-16 as PowerShell writes it
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; create it or correct the path") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a JSON file ({error}); restore it or create it again") from None


def write_csv(path: str | Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows, atomically; a column for every key, empty where a row has none.

    By csv, not pandas (2026-11-25): pandas writes the same bytes, and its import takes longer than the file.
    """
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=columns_of(rows))
        writer.writeheader()
        writer.writerows(rows)


def columns_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """All keys of rows, in the order in which they first occur."""
    return list(dict.fromkeys(name for row in rows for name in row))


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """The rows of a CSV file. Raises UserError when there is none."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; make it: snakemake --cores all {path}") from None
    if not rows:
        raise UserError(f"{path}: no rows; make it again: snakemake --cores all --force {path}")
    return rows


def write_png(path: str | Path, array: np.ndarray, palette: np.ndarray | None = None) -> None:
    """Write a PNG, atomically.

    array: uint8, (H, W) gray or label map, or (H, W, 3) RGB. palette: uint8 (256, 3); the image is then
    mode P, as label maps are.
    """
    image = Image.fromarray(array)
    if palette is not None:
        image.putpalette(palette.astype(np.uint8).tobytes())
    with atomic(path) as temporary:
        # Level 4 of 9 takes less than half the time of Pillow's 6 on gray maps, and the files are as large.
        image.save(temporary, format="PNG", compress_level=4)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
