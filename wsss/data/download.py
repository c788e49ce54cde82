"""Download one file: to a part file that resumes after interruptions, checked, then moved to its place.

requests speaks HTTP and tenacity repeats attempts. Ours is what neither does: resuming with If-Range, and
checking size and SHA-256.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from urllib3.exceptions import HTTPError

from wsss.errors import UserError
from wsss.progress import LOGGER, Progress
from wsss.store.files import write_text

#: attempts in a row that receive nothing, and the wait after the first of them, which doubles, in seconds
ATTEMPTS, WAIT = 6, 2.0
#: seconds to connect, and without a byte, after which a connection counts as lost
PATIENCE = 60.0
CHUNK, MB = 1 << 20, 10**6
#: statuses of servers that may answer another time
TEMPORARY = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Download:
    """A downloaded file: its size in bytes and its SHA-256 in hexadecimal digits."""

    size: int
    sha256: str


def download(
    url: str,
    path: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    wait: float = WAIT,
    progress: bool = True,
) -> Download:
    """Download a file, or what is missing of it, and check it.

    Interrupted downloads resume, also in a later process, unless the server's file has changed since. A file
    that was completed by resuming and fails its check is downloaded once more from the start. size, sha256:
    what the file must have; None where that is not known. A complete file at `path` is only checked.

    Raises UserError when the server has no such file, when several attempts in a row receive nothing (the
    part is kept), and when the file fails its check (it is removed).
    """
    if not path.is_file():
        part = path.with_name(f"{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        resumed = _complete(url, part, size, wait, progress)
        if resumed and _fault(part, size, sha256):
            LOGGER.warning("%s: the resumed file fails its check; downloading it again from the start", url)
            part.unlink()
            _complete(url, part, size, wait, progress)
        part.rename(path)
    if fault := _fault(path, size, sha256):
        path.unlink()
        raise UserError(f"{url}: {fault}. It was removed; check the address and the expected file")
    return Download(path.stat().st_size, digest_of(path))


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fault(path: Path, size: int | None, sha256: str | None) -> str | None:
    """Why a complete file fails its check, if it does."""
    actual = path.stat().st_size
    if size is not None and actual != size:
        return f"has {actual} bytes, must have {size}"
    if sha256 is not None and (digest := digest_of(path)) != sha256:
        return f"has the SHA-256 {digest}, must have {sha256}"
    return None


class _IncompleteError(Exception):
    """An attempt ended before the file was complete; another may go further."""


def _complete(url: str, part: Path, size: int | None, wait: float, progress: bool) -> bool:
    """Repeat attempts until the file is complete. Returns whether it took more than one."""
    fruitless, resumed = 0, part.is_file()

    def log(state: RetryCallState) -> None:
        assert state.outcome is not None
        LOGGER.info("%s: %s after %d bytes; resuming", url, state.outcome.exception(), _length(part))

    retrying = Retrying(
        retry=retry_if_exception_type(_IncompleteError),
        stop=lambda _: fruitless >= ATTEMPTS,
        wait=lambda _: wait * 2**fruitless,
        before_sleep=log,
        reraise=True,
    )
    try:
        for attempt in retrying:
            before = _length(part)
            with attempt:
                try:
                    _attempt(url, part, size, progress)
                finally:
                    fruitless = 0 if _length(part) > before else fruitless + 1
        return resumed or attempt.retry_state.attempt_number > 1
    except _IncompleteError as error:
        kept = f"{_length(part)} bytes are kept in {part}, and the download resumes from there"
        raise UserError(f"{url}: {error}, {fruitless} times in a row; {kept}") from None


def _attempt(url: str, part: Path, size: int | None, progress: bool) -> None:
    """Receive what is missing in one connection. Raises _IncompleteError when more is missing after it."""
    have, tag = _length(part), part.with_name(f"{part.name}.tag")
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if tag.is_file():
            headers["If-Range"] = tag.read_text(encoding="utf-8")
    try:
        with requests.get(url, headers=headers, stream=True, timeout=PATIENCE) as response:
            if response.status_code == 416:  # nothing is missing, or the part is of another file
                if have == (size if size is not None else _total(response)):
                    return
                part.unlink()
                raise _IncompleteError("the part was of another file")
            _raise_for_status(url, response)
            resumed = response.status_code == 206
            if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                part.unlink()
                raise _IncompleteError("the server sent another part than the one asked for")
            whole = _whole_size(response, have if resumed else 0)
            if size is not None and whole is not None and whole != size:
                raise UserError(
                    f"{url}: the server's file has {whole} bytes, must have {size}; correct the size or the "
                    "address in config/archives/"
                )
            _remember_version(response, tag)
            _receive(response, part, resumed, whole if whole is not None else size, progress)
    except requests.RequestException as error:
        reason = getattr(error.args[0], "reason", error) if error.args else type(error).__name__
        raise _IncompleteError(str(reason).rpartition(": ")[2]) from None
    except HTTPError:
        raise _IncompleteError("the connection was lost") from None
    except OSError as error:  # of the disk
        raise UserError(
            f"{part}: {error.strerror}; the part is kept: free some space and start again"
        ) from None
    if whole is not None and _length(part) < whole:
        raise _IncompleteError("the connection was lost")
    tag.unlink(missing_ok=True)


def _raise_for_status(url: str, response: requests.Response) -> None:
    said = f"the server says {response.status_code} {response.reason}"
    if response.status_code in TEMPORARY:
        raise _IncompleteError(said)
    if not response.ok:
        raise UserError(f"{url}: {said}; correct the address in config/archives/")


def _remember_version(response: requests.Response, tag: Path) -> None:
    """Keep what identifies the server's content. A weak tag does not, and servers refuse it in If-Range."""
    strong = response.headers.get("ETag", "W/")
    mark = response.headers.get("Last-Modified", "") if strong.startswith("W/") else strong
    write_text(tag, mark) if mark else tag.unlink(missing_ok=True)


def _receive(
    response: requests.Response, part: Path, resumed: bool, whole: int | None, progress: bool
) -> None:
    with open(part, "ab" if resumed else "wb") as file:
        name, start, total = response.url.rpartition("/")[2], file.tell() // MB, (whole or 0) // MB
        counter = Progress(name, total, start=start, unit="MB", enabled=progress and bool(whole))
        try:
            # Not iter_content: it drops what it has of a block when the connection is lost within one.
            while block := response.raw.read1(CHUNK):
                file.write(block)
                if ready := file.tell() // MB - counter.done:
                    counter.update(ready)
        finally:
            counter.close()


def _whole_size(response: requests.Response, start: int) -> int | None:
    """Size of the whole file, if the server says so."""
    length = response.headers.get("Content-Length")
    return _total(response) or (start + int(length) if length is not None else None)


def _total(response: requests.Response) -> int | None:
    """The size behind the slash of `Content-Range: bytes 0-9/10`."""
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
