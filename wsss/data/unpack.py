"""Unpack archives from elsewhere; nothing in them can do harm.

A name that leads out of the directory, a link, a device, a name that occurs twice, and an archive that
unpacks to far more than its size are refused, before anything of that member is written.

Not tarfile's data filter (2026-11-25): it checks names before they are mapped to their places, where
kit/VOC/../../x leads out of `root` and not out of the archive; it accepts links, rewrites /tmp/x to tmp/x
instead of refusing it, sets no limit of size, and zip archives have none.
"""

import shutil
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from wsss.errors import UserError
from wsss.progress import Progress

#: an archive may unpack to this many times its size (COCO's annotations to 4), and to so many bytes anyway
RATIO, FREE = 50, 16 * 10**6
#: files in one archive
MOST_FILES = 2_000_000
CHUNK, MB = 1 << 20, 10**6


class _Member(NamedTuple):
    name: str
    kind: str  # file, directory, or what else it is
    size: int  # bytes that reading its content gives at most
    content: IO[bytes] | None


def unpack(archive: Path, root: Path, places: Mapping[str, str], *, progress: bool = True) -> int:
    """Unpack a .zip or .tar, compressed or not, under `root`. Returns the number of members.

    places: directories of the archive ("." is all of it), and the directories under `root` that their
    contents go to; members in none of them are left out. Raises UserError naming the archive and the member;
    what was written by then stays, so unpack to a directory that is removed in that case.
    """
    wanted = {PurePosixPath(place): root / target for place, target in places.items()}
    size = archive.stat().st_size
    allowed, written, files = FREE + RATIO * size, 0, 0
    counter = Progress(f"unpacking {archive.name}", size // MB, unit="MB", enabled=progress)
    try:
        with open(archive, "rb") as raw:
            for member in _members(archive, raw):
                files += 1
                path = _path(archive, member.name, wanted)
                if files > MOST_FILES:
                    raise UserError(f"{archive}: more than {MOST_FILES} files; is it the right archive?")
                if path is None or member.kind == "directory":
                    continue
                written += member.size
                if written > allowed:
                    raise UserError(
                        f"{archive}: unpacks to more than {allowed} bytes, {RATIO} times its size "
                        f"({member.name}); is it the right archive?"
                    )
                _write(archive, member, path)
                counter.update(min(raw.tell() // MB, counter.total) - counter.done)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{archive}: cannot be unpacked ({error}); remove it to download it again") from None
    finally:
        counter.close()
    missing = [str(place) for place, target in wanted.items() if not target.is_dir()]
    if missing:
        raise UserError(f"{archive}: has nothing in {', '.join(missing)}; is it the right archive?")
    return files


def _members(archive: Path, raw: IO[bytes]) -> Iterator[_Member]:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(raw) as packed:
            for entry in packed.infolist():
                if entry.is_dir():
                    yield _Member(entry.filename, "directory", 0, None)
                    continue
                link = (entry.external_attr >> 28) == 0o12
                with packed.open(entry) as content:
                    yield _Member(entry.filename, "link" if link else "file", entry.file_size, content)
        return
    with tarfile.open(fileobj=raw, mode="r|*") as stream:
        for info in stream:
            kind = "file" if info.isreg() else "directory" if info.isdir() else "link or device"
            yield _Member(info.name, kind, info.size, stream.extractfile(info) if info.isreg() else None)


def _path(archive: Path, name: str, wanted: Mapping[PurePosixPath, Path]) -> Path | None:
    """Where a member goes; None for one that is not wanted."""
    inner = PurePosixPath(name)
    if inner.is_absolute() or ".." in inner.parts or "\\" in name or "\0" in name:
        raise UserError(f"{archive}: {name!r} leads out of the archive's directory; do not use this archive")
    place = next((place for place in wanted if inner.is_relative_to(place)), None)
    return None if place is None else wanted[place] / inner.relative_to(place)


def _write(archive: Path, member: _Member, path: Path) -> None:
    if member.kind != "file" or member.content is None:
        raise UserError(
            f"{archive}: {member.name} is a {member.kind}; only files and directories are unpacked"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(path, "xb") as file:
            shutil.copyfileobj(member.content, file, CHUNK)
    except FileExistsError:
        raise UserError(
            f"{archive}: {member.name} is in it twice, or in another archive as well; list each archive once"
        ) from None
