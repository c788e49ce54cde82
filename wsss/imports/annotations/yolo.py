"""YOLO's text files: a class and a box or a polygon per line, in parts of the photograph's sides."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import yaml

from wsss.errors import UserError
from wsss.imports.annotations.entry import SPLITS, Annotations, Entry, painted

NAMES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")


def is_yolo(directory: Path) -> bool:
    """Whether a directory has text files of YOLO's form in `labels/`, and the classes' names."""
    labels = directory / "labels"
    return labels.is_dir() and any(
        (place / name).is_file() for place in (directory, labels) for name in NAMES
    )


def read_yolo(directory: Path) -> Annotations:
    """Read `labels/**/*.txt`; the names of classes are in data.yaml or classes.txt.

    An empty file says that its photograph shows none of the classes. Raises UserError naming file and line.
    """
    classes, entries = _classes(directory), []
    for path in sorted((directory / "labels").rglob("*.txt")):
        if path.name in NAMES:
            continue
        relative = path.relative_to(directory / "labels").with_suffix("")
        split = SPLITS.get(relative.parts[0].lower()) if len(relative.parts) > 1 else None
        shapes = [
            _shape(path, number, line, classes)
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
            if line.strip()
        ]
        labels = tuple(dict.fromkeys(classes[channel] for channel, _ in shapes))
        outlined = all(len(points) > 2 for _, points in shapes)
        name = f"images/{relative.as_posix()}"
        entries.append(Entry(name, labels, _painter(shapes) if outlined else None, None, split))
    if not entries:
        raise UserError(f"{directory}/labels: has no text files; there must be one per photograph")
    return Annotations("YOLO text files", classes, tuple(entries))


def _painter(shapes: Sequence[tuple[int, np.ndarray]]) -> Callable[[tuple[int, int]], np.ndarray]:
    def paint(size: tuple[int, int]) -> np.ndarray:
        scaled = [(channel + 1, points * size[::-1]) for channel, points in shapes]
        return painted(scaled)(size)

    return paint


def _shape(path: Path, number: int, line: str, classes: Sequence[str]) -> tuple[int, np.ndarray]:
    """Channel and outline (N, 2) in 0..1 of a line; of a box its two corners."""
    try:
        first, *rest = line.split()
        channel, numbers = int(first), np.array(rest, float)
    except ValueError:
        raise UserError(
            f"{path}:{number}: {line[:40]!r}; must be a class's number and its box or polygon"
        ) from None
    if not 0 <= channel < len(classes):
        raise UserError(f"{path}:{number}: class {channel}; there are {len(classes)}, numbered from 0")
    if len(numbers) == 4:
        center, half = numbers[:2], numbers[2:] / 2
        return channel, np.stack([center - half, center + half])
    if len(numbers) < 6 or len(numbers) % 2:
        raise UserError(
            f"{path}:{number}: {len(numbers)} numbers; a box has 4, a polygon 6 or more, in pairs"
        )
    return channel, numbers.reshape(-1, 2)


def _classes(directory: Path) -> tuple[str, ...]:
    for place in (directory, directory / "labels"):
        for name in NAMES:
            path = place / name
            if not path.is_file():
                continue
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".txt" or path.suffix == ".names":
                return tuple(line.strip() for line in text.splitlines() if line.strip())
            try:
                names = (yaml.safe_load(text) or {}).get("names")
            except (yaml.YAMLError, AttributeError) as error:
                raise UserError(f"{path}: not YAML with the names of classes ({error})") from None
            if isinstance(names, dict) and sorted(names) == list(range(len(names))):
                return tuple(str(names[number]) for number in range(len(names)))
            if isinstance(names, list):
                return tuple(map(str, names))
            raise UserError(f"{path}: names must list the classes, as `names: [cat, dog]`")
    raise UserError(f"{directory}: no names of classes; add classes.txt, one a line")
