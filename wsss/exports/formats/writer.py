"""What all forms have in common: where they write to, and the photographs beside the labels."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from wsss.data.outlines import Region
from wsss.errors import UserError
from wsss.exports.sources import Labeled


@dataclass(frozen=True)
class Target:
    """Where an export is written.

    root: directory. classes: foreground, of values 1, 2, …. splits: names of the splits that come. images:
    photographs are linked, copied, or left out.
    """

    root: Path
    classes: tuple[str, ...]
    splits: tuple[str, ...]
    images: Literal["link", "copy", "none"] = "link"

    def file(self, *parts: str) -> Path:
        """A file in the directory, whose folder is made."""
        path = self.root.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def stream(self, *parts: str) -> TextIO:
        """A text file in the directory, opened for writing."""
        return self.file(*parts).open("w", encoding="utf-8")

    def place(self, image: Labeled, folder: str) -> str:
        """The photograph's path in the export, where it is linked or copied to.

        Raises UserError where it is no longer there.
        """
        name = f"{folder}/{image.name}{image.path.suffix}"
        if self.images == "none":
            return name
        if not image.path.is_file():
            raise UserError(f"{image.path}: no such file; the photograph is needed, or --images none")
        path = self.file(name)
        if self.images == "copy":
            shutil.copyfile(image.path, path)
        else:
            path.symlink_to(image.path.resolve())
        return name


class Writer:
    """Writes photographs with their regions, one by one."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def add(self, image: Labeled, regions: Sequence[Region]) -> None:
        """Write a photograph."""
        raise NotImplementedError

    def close(self) -> None:
        """Write what is left."""
