"""Archives from elsewhere, unpacked such that nothing in them can do harm.

A name that leads out of the directory, a link, a device, a name that comes twice, and an archive that
unpacks to far more than its size are refused, before or while they are written.
"""

import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from wsss.errors import UserError
from wsss.progress import Progress

#: an archive may unpack to this many times its size (COCO's annotations take 4), and to so much anyway
RATIO, FREE = 50, 16 * 10**6
#: files in one archive
MOST_FILES = 2_000_000
CHUNK, MB = 1 << 20, 10**6


class _Member(NamedTuple):
    name: str
    kind: str  # file, directory, or what else it is
    content: IO[bytes] | None


def unpack(archive: Path, root: Path, places: Mapping[str, str], *, progress: bool = True) -> int:
    """Unpack a .zip or .tar, compressed or not, under `root`. Returns how many files were written.

    places: directories of the archive, "." for all of it, and the directories under `root` that their
    contents go to; what is in none of them is left out. Raises UserError naming the archive and the member;
    what was written so far stays, so unpack to a directory that is thrown away then.
    """
    wanted = {PurePosixPath(place): root / target for place, target in places.items()}
    allowed, written, files = FREE + RATIO * archive.stat().st_size, 0, 0
    counter = Progress(f"unpacking {archive.name}", archive.stat().st_size // MB, unit="MB", enabled=progress)
    try:
        with open(archive, "rb") as raw:
            for name, kind, content in _members(archive, raw):
                files += 1
                path = _path(archive, name, wanted)
                if files > MOST_FILES:
                    raise UserError(f"{archive}: more than {MOST_FILES} files; is it another archive?")
                if path is None or kind == "directory":
                    continue
                if kind != "file" or content is None:
                    raise UserError(f"{archive}: {name} is a {kind}; only files and directories are unpacked")
                written = _write(archive, name, content, path, written, allowed)
                counter.update(min(raw.tell() // MB, counter.total) - counter.done)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{archive}: cannot be unpacked ({error}); remove it, and it is fetched again"
        ) from None
    finally:
        counter.close()
    missing = [str(place) for place, target in wanted.items() if not target.is_dir()]
    if missing:
        raise UserError(f"{archive}: has nothing in {', '.join(missing)}; is it another archive?")
    return files


def _members(archive: Path, raw: IO[bytes]) -> Iterator[_Member]:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(raw) as packed:
            for entry in packed.infolist():
                if entry.is_dir():
                    yield _Member(entry.filename, "directory", None)
                    continue
                link = (entry.external_attr >> 28) == 0o12
                with packed.open(entry) as content:
                    yield _Member(entry.filename, "link" if link else "file", content)
        return
    with tarfile.open(fileobj=raw, mode="r|*") as stream:
        for member in stream:
            kind = "file" if member.isreg() else "directory" if member.isdir() else "link or device"
            yield _Member(member.name, kind, stream.extractfile(member) if member.isreg() else None)


def _path(archive: Path, name: str, wanted: Mapping[PurePosixPath, Path]) -> Path | None:
    """Where a member goes; None for one that nobody wants."""
    inner = PurePosixPath(name)
    if inner.is_absolute() or ".." in inner.parts or "\\" in name or "\0" in name:
        raise UserError(f"{archive}: {name!r} leads out of the archive's directory; nothing of it is used")
    place = next((place for place in wanted if inner.is_relative_to(place)), None)
    return None if place is None else wanted[place] / inner.relative_to(place)


def _write(archive: Path, name: str, content: IO[bytes], path: Path, written: int, allowed: int) -> int:
    """Write a file. Returns the bytes that the archive has given so far."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(path, "xb") as file:
            while chunk := content.read(CHUNK):
                written += len(chunk)
                if written > allowed:
                    raise UserError(
                        f"{archive}: unpacks to more than {allowed} bytes, {RATIO} times its size "
                        f"({name}); is it another archive?"
                    )
                file.write(chunk)
    except FileExistsError:
        raise UserError(
            f"{archive}: {name} is in it twice, or in another archive, too; list each archive once"
        ) from None
    return written
