"""From the official archives to the root of a data set: fetched, checked, unpacked; nothing if it is there.

Which archives, a YAML file says (config/archives/). Where it gives no SHA-256, the one of the first
download is written beside the root, and every later one has to be the same.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from wsss.config import Section
from wsss.config.document import read_document
from wsss.data.download import WAIT, download
from wsss.data.unpack import unpack
from wsss.errors import UserError
from wsss.files import is_there, read_json, write_json
from wsss.progress import LOGGER


class Archive(Section):
    """An archive of a data set: where it is, what it must be, and what of it goes where under the root."""

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
    """Read which archives a data set has. Raises UserError naming file, key, and what is wrong."""
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
    """Fetch and unpack the archives that `listed` names, such that `root` appears when it is whole.

    A root that has something in it is left as it is. Until all is unpacked, archives lie beside the root,
    so that a call that was killed goes on where it was. Returns url, size and SHA-256 of each archive, and
    whether the SHA-256 was `given`, `recorded` earlier, or is `new`; nothing when nothing was done.
    """
    archives, root = read_archives(listed), root.resolve()
    root.parent.mkdir(parents=True, exist_ok=True)
    if is_there(root):
        LOGGER.info("%s is there; nothing is fetched", root)
        return []
    store, part = (root.with_name(f".{root.name}.{suffix}") for suffix in ("archives", "part"))
    record = root.with_name(f"{root.name}.archives.json")
    with _alone(root):
        made = [_fetch(archive, store, record, listed, wait, progress) for archive in archives]
        shutil.rmtree(part, ignore_errors=True)
        for archive in archives:
            unpack(store / archive.name, part, archive.unpack, progress=progress)
        part.rename(root)
        shutil.rmtree(store)
    LOGGER.info("%s: %d archives unpacked, and removed", root, len(made))
    return made


def _fetch(
    archive: Archive, store: Path, record: Path, listed: Path, wait: float, progress: bool
) -> dict[str, Any]:
    seen = read_json(record) if record.is_file() else {}
    earlier = seen.get(archive.url)
    sha256, known = (
        (archive.sha256, "given") if archive.sha256 else (earlier, "recorded" if earlier else "new")
    )
    found = download(
        archive.url, store / archive.name, size=archive.bytes, sha256=sha256, wait=wait, progress=progress
    )
    if known == "new":
        write_json(record, {**seen, archive.url: found.sha256})
        LOGGER.warning(
            "%s: %s gives no SHA-256; this file's, %s, is now recorded in %s, and any later download must "
            "match. Compare it with one that you trust",
            *(archive.url, listed, found.sha256, record),
        )
    return {"url": archive.url, "bytes": found.size, "sha256": found.sha256, "known": known}


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One process at a time fetches to a root; the lock goes with the process, however it ends."""
    with open(root.with_name(f".{root.name}.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"{root}: another process is fetching it; wait for that one") from None
        yield
