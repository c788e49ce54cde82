"""One file from the network: to a part file, resumed where it was cut, checked, then moved to its place."""

import hashlib
import time
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from wsss.errors import UserError
from wsss.progress import LOGGER, Progress
from wsss.store.files import write_text

#: attempts in a row that bring nothing, and the wait after the first of them, which doubles, in seconds
ATTEMPTS, WAIT = 6, 2.0
#: seconds without a byte after which a connection counts as cut
PATIENCE = 60.0
CHUNK, MB = 1 << 20, 10**6
#: answers of servers that may be others in a moment
PASSING = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Download:
    """A file that is there: its size and its SHA-256, in hexadecimal digits."""

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
    """Fetch a file, or what is missing of it, and check it.

    A part that an earlier process has left is gone on with, unless the server's file has changed since. A
    part that was put together and turns out wrong is fetched once more from the start. size, sha256: what
    the file must be; None where that is not known. A whole file at `path` is checked and not fetched.

    Raises UserError when the server has no such file, when nothing comes for several attempts (the part is
    kept), and when the file is another than it must be (it is removed).
    """
    if not path.is_file():
        part = path.with_name(f"{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        joined = _complete(url, part, size, wait, progress)
        if joined and _fault(part, size, sha256):
            LOGGER.warning("%s: the parts do not fit together; fetched again from the start", url)
            part.unlink()
            _complete(url, part, size, wait, progress)
        part.rename(path)
    if fault := _fault(path, size, sha256):
        path.unlink()
        raise UserError(f"{url}: {fault}. It was removed; is this the right address, and the right file?")
    return Download(path.stat().st_size, digest_of(path))


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fault(path: Path, size: int | None, sha256: str | None) -> str | None:
    """What is wrong with a whole file."""
    found = path.stat().st_size
    if size is not None and found != size:
        return f"has {found} bytes, must have {size}"
    if sha256 is not None and (digest := digest_of(path)) != sha256:
        return f"has the SHA-256 {digest}, must have {sha256}"
    return None


def _complete(url: str, part: Path, size: int | None, wait: float, progress: bool) -> bool:
    """Fetch until all is there. Returns whether it came in more than one part."""
    joined, failures = part.is_file(), 0
    while True:
        before = _length(part)
        try:
            if _go_on(url, part, size, progress):
                return joined
            why = "the connection was cut"
        except HTTPError as error:
            if error.code not in PASSING:
                raise UserError(
                    f"{url}: the server says {error.code} {error.reason}; mend the address in "
                    "config/archives/"
                ) from None
            why = f"the server says {error.code} {error.reason}"
        except (OSError, HTTPException) as error:
            if isinstance(error, OSError) and error.filename is not None:  # of the disk, not of the network
                raise UserError(
                    f"{part}: {error.strerror}; what is there is kept; make room, then start again"
                ) from None
            why = str(error) or type(error).__name__
        joined = True
        failures = 0 if _length(part) > before else failures + 1
        if failures >= ATTEMPTS:
            kept = f"{_length(part)} bytes of it are in {part} and will be gone on with"
            raise UserError(f"{url}: {why}, {failures} times in a row; {kept}")
        LOGGER.info("%s: %s after %d bytes; goes on", url, why, _length(part))
        time.sleep(wait * 2**failures)


def _go_on(url: str, part: Path, size: int | None, progress: bool) -> bool:
    """Fetch what is missing in one connection. Returns whether the file is whole."""
    have, tag = _length(part), part.with_name(f"{part.name}.tag")
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if tag.is_file():
            headers["If-Range"] = tag.read_text(encoding="utf-8")
    try:
        response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=PATIENCE)
    except HTTPError as error:
        if error.code != 416:  # nothing is left to send: the part is the file, or of another one
            raise
        if have == (size if size is not None else _total(error.headers.get("Content-Range", ""))):
            return True
        part.unlink()
        return False
    with response:
        resumed = response.status == 206
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            return False
        whole = _whole(response, have if resumed else 0)
        if size is not None and whole is not None and whole != size:
            raise UserError(
                f"{url}: the server's file has {whole} bytes, must have {size}; mend the size in "
                "config/archives/, or the address"
            )
        # A strong tag or a date stands for one content; a weak tag does not, and would be refused.
        strong = response.headers.get("ETag", "W/")
        mark = response.headers.get("Last-Modified", "") if strong.startswith("W/") else strong
        write_text(tag, mark) if mark else tag.unlink(missing_ok=True)
        with open(part, "ab" if resumed else "wb") as file:
            _copy(response, file, url, whole if whole is not None else size, progress)
    found = _length(part)
    if whole is not None and found < whole:
        return False
    tag.unlink(missing_ok=True)
    return True


def _copy(response: HTTPResponse, file: BinaryIO, url: str, whole: int | None, progress: bool) -> None:
    name, start = url.rpartition("/")[2], file.tell()
    counter = Progress(
        name, (whole or 0) // MB, start=start // MB, unit="MB", enabled=progress and bool(whole)
    )
    while chunk := response.read(CHUNK):
        try:
            file.write(chunk)
        except OSError as error:
            raise UserError(
                f"{file.name}: {error.strerror}; what is there is kept; make room, then start again"
            ) from None
        if ready := file.tell() // MB - counter.done:
            counter.update(ready)
    counter.close()


def _whole(response: HTTPResponse, start: int) -> int | None:
    """Size of the whole file, if the server says so."""
    if total := _total(response.headers.get("Content-Range", "")):
        return total
    length = response.headers.get("Content-Length")
    return start + int(length) if length is not None else None


def _total(content_range: str) -> int | None:
    """The size behind the stroke of `bytes 0-9/10`."""
    total = content_range.rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
