"""Download a data set's official archives, check them and unpack them to its root, unless it exists.

A YAML file in config/archives/ lists the archives. Where it has no SHA-256, that of the first download is
recorded beside the root, and every later download must match it.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import Field, ValidationError

from wsss.config import Section
from wsss.config.document import read_document
from wsss.data.download import WAIT, download
from wsss.data.unpack import unpack
from wsss.errors import UserError
from wsss.progress import LOGGER
from wsss.store.files import is_there, read_json, write_json

#: of an archive whose SHA-256 is neither in the list nor recorded
NEW = "new"


class Archive(Section):
    """An archive of a data set: its address, size and SHA-256, and which of its directories go where."""

    url: str = Field(pattern=r"^https?://[^/]+/(.*/)?[A-Za-z0-9_][A-Za-z0-9._-]*$")
    bytes: int | None = Field(None, ge=1)
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    unpack: dict[str, str] = Field({".": "."}, min_length=1)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


class Archives(Section):
    """All archives of a data set."""

    archives: tuple[Archive, ...] = Field(min_length=1)


def read_archives(path: Path) -> tuple[Archive, ...]:
    """Read the list of a data set's archives. Raises UserError naming file, key and fault."""
    try:
        found = Archives.model_validate(read_document(path).values).archives
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_url=False)
        ]
        raise UserError("\n  ".join([f"{path}: not a list of archives", *wrong])) from None
    targets = [target for archive in found for target in archive.unpack.values()]
    if outside := [target for target in targets if Path(target).is_absolute() or ".." in Path(target).parts]:
        raise UserError(f"{path}: {', '.join(outside)}: must be a directory under the data set's root")
    return found


def fetch_archives(
    listed: Path, root: Path, *, wait: float = WAIT, progress: bool = True
) -> list[dict[str, Any]]:
    """Download and unpack the archives that `listed` names; `root` appears when it is complete.

    A root that is not empty stays as it is. Until all is unpacked, the archives are kept beside the root, so
    that an interrupted call resumes. Returns url, size and SHA-256 of each archive, and whether the SHA-256
    was `given`, `recorded` earlier, or is `new`; an empty list when nothing was done.
    """
    archives, root = read_archives(listed), root.resolve()
    root.parent.mkdir(parents=True, exist_ok=True)
    store, part = (root.with_name(f".{root.name}.{suffix}") for suffix in ("archives", "part"))
    record = root.with_name(f"{root.name}.archives.json")
    with _alone(root):
        if is_there(root):
            LOGGER.info("%s exists; nothing is downloaded", root)
            return []
        seen = read_json(record) if record.is_file() else {}
        made = [_fetch(archive, store, seen, wait, progress) for archive in archives]
        shutil.rmtree(part, ignore_errors=True)
        for archive, about in zip(archives, made, strict=True):
            try:
                unpack(store / archive.name, part, archive.unpack, progress=progress)
            except UserError:
                if about["known"] == NEW:  # it may be an error page
                    (store / archive.name).unlink()
                raise
        _record(record, listed, seen, made)
        part.rename(root)
        shutil.rmtree(store)
    LOGGER.info("%s: unpacked %d archives and removed them", root, len(made))
    return made


def _fetch(
    archive: Archive, store: Path, seen: Mapping[str, str], wait: float, progress: bool
) -> dict[str, Any]:
    known = "given" if archive.sha256 else "recorded" if archive.url in seen else NEW
    found = download(
        archive.url,
        store / archive.name,
        size=archive.bytes,
        sha256=archive.sha256 or seen.get(archive.url),
        wait=wait,
        progress=progress,
    )
    return {"url": archive.url, "bytes": found.size, "sha256": found.sha256, "known": known}


def _record(record: Path, listed: Path, seen: Mapping[str, str], made: Sequence[Mapping[str, Any]]) -> None:
    """Record the SHA-256 of archives that were downloaded for the first time, with a warning."""
    new = {about["url"]: about["sha256"] for about in made if about["known"] == NEW}
    if new:
        write_json(record, {**seen, **new})
    for url, sha256 in new.items():
        LOGGER.warning(
            "%s: %s has no SHA-256 for it; that of the downloaded file, %s, is recorded in %s, and later "
            "downloads must match it. Compare it with a trusted source",
            *(url, listed, sha256, record),
        )


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Let one process at a time download to a root. The lock ends with the process, however that ends."""
    try:
        with FileLock(root.with_name(f".{root.name}.lock"), blocking=False, fallback_to_soft=False):
            yield
    except Timeout:
        raise UserError(f"{root}: another process is downloading it; wait until it has ended") from None
