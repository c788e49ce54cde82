"""Text files as spreadsheets and editors write them: in UTF-8, UTF-16, UTF-32 or Windows-1252."""

import re
from functools import cache
from pathlib import Path

from wsss.errors import UserError
from wsss.progress import LOGGER

#: bytes that Windows-1252 does not define, and those of UTF-16 in the middle of a file
_NO_TEXT = re.compile(rb"[\x00\x81\x8d\x8f\x90\x9d]|\xff\xfe|\xfe\xff")
#: how the files of Excel and LibreOffice begin: those of today (ZIP), and those before 2007 (OLE)
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


def read_text(path: Path, should: str) -> str:
    """A file's text. Encodings other than UTF-8 are told.

    should: the end of a message about a file that is missing or no text, which is raised as UserError.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {should}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error}); {should}") from None
    if content.startswith(_WORKBOOKS):
        raise UserError(f"{path}: an Excel workbook; save it as CSV (UTF-8)")
    try:
        if encoding := _wide(content):
            text = content.decode(encoding)
            _note(f"{path}: read as {encoding[:6].upper()}")
            return text
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if _NO_TEXT.search(content):
            raise UserError(
                f"{path}: not a text file in UTF-8, UTF-16 or Windows-1252 ({error}); {should}"
            ) from None
    _note(f"{path}: is not UTF-8, read as Windows-1252; if names look wrong, save it as UTF-8")
    return content.decode("cp1252")


@cache
def _note(text: str) -> None:
    """Say it once: a table is read for its classes, and for each split."""
    LOGGER.warning("%s", text)


def _wide(content: bytes) -> str | None:
    """The kind of UTF-32 or UTF-16 of a text, by its mark or by the zeros of its first letters."""
    if content[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return "utf-32"
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if content[:1] == b"\0" and content[2:3] == b"\0":
        return "utf-16-be"
    return "utf-16-le" if content[1:2] == b"\0" and content[3:4] == b"\0" else None
