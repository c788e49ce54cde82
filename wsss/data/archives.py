"""From the official archives to the root of a data set: fetched, checked, unpacked; nothing if it is there.

Which archives, a YAML file says (config/archives/). Where it gives no SHA-256, the one of the first
download is written beside the root, and every later one has to be the same.
"""

import fcntl
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from wsss.config import Section
from wsss.config.document import read_document
from wsss.data.download import WAIT, download
from wsss.data.unpack import unpack
from wsss.errors import UserError
from wsss.progress import LOGGER
from wsss.store.files import is_there, read_json, write_json

#: of an archive that no SHA-256 is known of, neither given nor recorded
NEW = "new"


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
    store, part = (root.with_name(f".{root.name}.{suffix}") for suffix in ("archives", "part"))
    record = root.with_name(f"{root.name}.archives.json")
    with _alone(root):
        if is_there(root):
            LOGGER.info("%s is there; nothing is fetched", root)
            return []
        seen = read_json(record) if record.is_file() else {}
        made = [_fetch(archive, store, seen, wait, progress) for archive in archives]
        shutil.rmtree(part, ignore_errors=True)
        for archive, about in zip(archives, made, strict=True):
            try:
                unpack(store / archive.name, part, archive.unpack, progress=progress)
            except UserError:
                if about["known"] == NEW:  # nobody vouches for it: it may be a page that says sorry
                    (store / archive.name).unlink()
                raise
        _record(record, listed, seen, made)
        part.rename(root)
        shutil.rmtree(store)
    LOGGER.info("%s: %d archives unpacked, and removed", root, len(made))
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
    """Keep the SHA-256 of what is seen for the first time, and say so."""
    new = {about["url"]: about["sha256"] for about in made if about["known"] == NEW}
    if new:
        write_json(record, {**seen, **new})
    for url, sha256 in new.items():
        LOGGER.warning(
            "%s: %s gives no SHA-256; this file's, %s, is now recorded in %s, and any later download must "
            "match. Compare it with one that you trust",
            *(url, listed, sha256, record),
        )


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One process at a time fetches to a root; the lock goes with the process, however it ends."""
    with open(root.with_name(f".{root.name}.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"{root}: another process is fetching it; wait for that one") from None
        yield
