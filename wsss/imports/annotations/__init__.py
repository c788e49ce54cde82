"""Annotations of other tools, recognized by what they hold."""

from pathlib import Path

from wsss.errors import UserError
from wsss.imports.annotations.coco import is_coco, read_coco
from wsss.imports.annotations.cvat import is_cvat, read_cvat
from wsss.imports.annotations.entry import Annotations, Entry, matched
from wsss.imports.annotations.folders import (
    CLASS_FOLDERS,
    is_images_and_masks,
    read_class_folders,
    read_images_and_masks,
)
from wsss.imports.annotations.label_studio import is_label_studio, read_label_studio
from wsss.imports.annotations.review import is_review, read_review
from wsss.imports.annotations.yolo import is_yolo, read_yolo
from wsss.store.files import read_json

__all__ = ["CLASS_FOLDERS", "Annotations", "Entry", "matched", "read_any", "read_file"]

_FORMS = "COCO or Label Studio (JSON), CVAT for images 1.1 (XML)"


def read_file(path: Path) -> Annotations:
    """Read a file of any known form. Raises UserError naming those that are."""
    if path.suffix.lower() == ".zip":
        raise UserError(f"{path}: unpack the archive, and give the file or directory in it")
    if path.suffix.lower() == ".xml" and is_cvat(path):
        return read_cvat(path)
    if path.suffix.lower() == ".json":
        found = read_json(path)
        if is_coco(found):
            return read_coco([path])
        if is_label_studio(found):
            return read_label_studio(path)
        if is_review(found):
            return read_review(path)
    raise UserError(f"{path}: of no known form; known are {_FORMS}")


def read_any(directory: Path, *, folders: bool = True) -> Annotations:
    """Read a directory of any known form: files of tools, YOLO's, masks, or (`folders`) a folder per class.

    Raises UserError naming the forms that are known, and what does not fit.
    """
    places = [place for place in (directory, directory / "annotations") if place.is_dir()]
    files = [path for place in places for path in sorted(place.glob("*.json"))]
    if coco := [path for path in files if is_coco(read_json(path))]:
        return read_coco(coco)
    if tasks := [path for path in files if is_label_studio(read_json(path))]:
        return read_label_studio(tasks[0])
    if found := [path for path in sorted(directory.glob("*.xml")) if is_cvat(path)]:
        return read_cvat(found[0])
    if is_yolo(directory):
        return read_yolo(directory)
    if is_images_and_masks(directory):
        return read_images_and_masks(directory)
    if not folders:
        raise UserError(
            f"{directory}: of no known form; known are {_FORMS}, YOLO's labels/, masks/ and classes.txt"
        )
    return read_class_folders(directory)
