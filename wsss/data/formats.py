"""Which files are photographs: by their suffix, in any case; and what is said of those that are not read."""

from importlib.util import find_spec
from pathlib import Path

from PIL import Image

#: preferred in this order where a folder has one photograph in several formats
COMMON = (".jpg", ".png", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
#: still images that Pillow reads without another program
OTHERS = frozenset({".apng", ".avif", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpf", ".jpx"})
#: two photographs of one scene; Pillow's plugin of JPEG opens them, so that no other is registered
MPO = ".mpo"
RARE = frozenset({".pbm", ".pcx", ".pgm", ".pnm", ".ppm", ".psd", ".qoi", ".sgi", ".tga"})
HEIC = frozenset({".heic", ".heif"})
RAW = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".kdc", ".mrw", ".nef", ".nrw", ".orf"}
    | {".pef", ".raf", ".raw", ".rw2", ".sr2", ".srw"}
)
#: pictures of other kinds
UNREAD = frozenset(
    {".ai", ".dcm", ".eps", ".exr", ".hdr", ".jxl", ".jxr", ".mov", ".mp4", ".nii", ".pdf", ".svg"}
)


def suffixes() -> frozenset[str]:
    """The suffixes of photographs that this installation reads, small letters, with their dot."""
    known = Image.registered_extensions()  # loads Pillow's plugins the first time
    plugins = {suffix for suffix in OTHERS | RARE if known.get(suffix) in Image.OPEN}
    return (
        frozenset(COMMON) | {MPO} | plugins | (HEIC if find_spec("pillow_heif") is not None else frozenset())
    )


def rank(path: Path) -> tuple[int, str]:
    """Orders photographs of one name by their format."""
    suffix = path.suffix.lower()
    return (COMMON.index(suffix) if suffix in COMMON else len(COMMON), path.name)


def why_unread(path: Path) -> str:
    """Why a file is no photograph, for people: its format, and what to do."""
    suffix = path.suffix.lower()
    if suffix in HEIC:
        return "HEIC: not read; install pillow-heif"
    if suffix in RAW:
        return "raw camera format: not read; convert it to JPEG or PNG"
    if suffix in UNREAD:
        return f"{suffix[1:].upper()}: not read; convert it to JPEG or PNG"
    return "no image format that is read"
