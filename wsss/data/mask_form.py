"""How the masks of a data set say what they show: class values, other values (0 and 255), or colors.

Everything later reads class values: 0 background, 1 to C the classes, 255 ignored. Masks of another form are
converted once, when the index is made.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from wsss.data.palette import read_mask
from wsss.data.text_files import read_text
from wsss.errors import UserError
from wsss.metrics import IGNORE

BACKGROUND, IGNORED = "background", "ignore"
#: names in a color table that stand for no class
_ROLES = {BACKGROUND: 0, "void": IGNORE, "ignore": IGNORE, "ignored": IGNORE}
_HEX = re.compile(r"#([0-9a-fA-F]{6})")
_RGB = re.compile(r"(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})")


@dataclass(frozen=True)
class MaskForm:
    """A data set's way to store masks; `source` is what messages call it.

    values: stored value -> class value. colors: stored 0xRRGGBB -> class value. Both empty: class values, or
    VOC's colors. orientation: `auto`, `seen` or `stored`, of the configuration.
    """

    values: Mapping[int, int] = field(default_factory=dict)
    colors: Mapping[int, int] = field(default_factory=dict)
    orientation: str = "auto"
    source: str = "dataset.mask_values"

    @property
    def plain(self) -> bool:
        """Whether masks hold class values as they are stored."""
        return not (self.values or self.colors)

    def read(self, path: Path) -> np.ndarray:
        """A mask as stored, uint8 (H, W) of class values. Raises UserError with unknown values."""
        if self.plain:
            return read_mask(path)
        codes, is_color = _codes(path, bool(self.colors))
        table = self.colors if is_color else self.values
        found = np.unique(codes)
        if unknown := [int(code) for code in found if int(code) not in table]:
            shown = ", ".join(_shown(code, is_color) for code in unknown[:5])
            known = ", ".join(_shown(code, is_color) for code in table) or "none"
            what = "colors" if is_color else "values"
            raise UserError(f"{path}: mask holds the {what} {shown}; {self.source} lists {known}")
        classes = np.array([table[int(code)] for code in found], np.uint8)
        return classes[np.searchsorted(found, codes)]


def mask_form(
    given: Mapping[str, str] | Path | None, classes: Sequence[str], *, orientation: str
) -> MaskForm:
    """The form that a configuration describes: a mapping of values or colors to names, or a file of colors.

    Raises UserError naming the entry that is no value, color or class.
    """
    if given is None:
        return MaskForm(orientation=orientation)
    if isinstance(given, Path):
        source, table = str(given), {f"#{code:06x}": name for code, name in read_labelmap(given)}
    else:
        source, table = "dataset.mask_values", dict(given)
    values: dict[int, int] = {}
    colors: dict[int, int] = {}
    faults = []
    for key, name in table.items():
        target = _target(name, classes)
        if target is None:
            allowed = ", ".join((BACKGROUND, IGNORED, *classes))
            faults.append(f"{key}: {name!r} is no class; allowed are {allowed}")
        elif (code := _color(key)) is not None:
            colors[code] = target
        elif key.strip().isdigit() and int(key) <= 255:
            values[int(key)] = target
        else:
            faults.append(f"{key!r}: must be a value from 0 to 255, or a color as #ff8000 or 255,128,0")
    if values and colors:
        faults.append("lists both values and colors; masks must be of one form")
    if faults:
        raise UserError("\n  ".join([f"{source}: not a table of mask values", *faults[:20]]))
    return MaskForm(values, colors, orientation, source)


def read_labelmap(path: Path) -> list[tuple[int, str]]:
    """The colors, 0xRRGGBB, and names of CVAT's labelmap.txt (`name:r,g,b:parts:actions`) or of a CSV.

    Raises UserError naming the line that holds neither `name:r,g,b` nor `name,r,g,b`, nor `name,#rrggbb`.
    """
    text = read_text(path, "it must list a name and a color a line")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#") or (number == 1 and not re.search(r"\d", line)):
            continue
        name, _, color = re.sub("[;\t]", ",", line).partition(":" if ":" in line else ",")
        code = _color(color.split(":")[0].strip())
        if code is None or not name.strip():
            raise UserError(f"{path}:{number}: {line!r}; must be a name and a color, as cat:128,0,0")
        found.append((code, name.strip()))
    if not found:
        raise UserError(f"{path}: lists no colors; it must have a line per class, as cat:128,0,0")
    return found


def labelmap_classes(path: Path) -> tuple[str, ...]:
    """The classes of a labelmap.txt, in its order, without background and void."""
    return tuple(dict.fromkeys(name for _, name in read_labelmap(path) if name.lower() not in _ROLES))


def _target(name: str, classes: Sequence[str]) -> int | None:
    if name in classes:
        return classes.index(name) + 1
    return _ROLES.get(name.lower())


def _color(text: str) -> int | None:
    if hexadecimal := _HEX.fullmatch(text.strip()):
        return int(hexadecimal[1], 16)
    if (parts := _RGB.fullmatch(text.strip())) and all(int(part) <= 255 for part in parts.groups()):
        red, green, blue = (int(part) for part in parts.groups())
        return red << 16 | green << 8 | blue
    return None


def _codes(path: Path, colored: bool) -> tuple[np.ndarray, bool]:
    """What a mask's pixels hold, int (H, W): values, or colors where it has some and a table says them."""
    try:
        with Image.open(path) as image:
            if image.mode in ("L", "LA", "I;16", "I", "1") or (image.mode == "P" and not colored):
                pixels = np.array(image.convert("L") if image.mode in ("1", "LA") else image)
                if not colored:
                    return pixels.astype(np.int64), False
            rgb = np.array(image.convert("RGB"), np.int64)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: mask does not open ({error}); replace it") from None
    if not colored and (rgb == rgb[..., :1]).all():
        return rgb[..., 0], False
    return rgb @ np.array([1 << 16, 1 << 8, 1]), True


def _shown(code: int, is_color: bool) -> str:
    return f"#{code:06x} ({code >> 16},{code >> 8 & 255},{code & 255})" if is_color else str(code)
