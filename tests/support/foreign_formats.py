"""Opens exports with the libraries of their forms, in an environment of their own, and prints masks as JSON.

    PYTHON foreign_formats.py FORM DIRECTORY     # datumaro, label-studio-sdk and supervision are installed

Prints by photograph the number of pixels of each class.
"""

import json
import sys
from pathlib import Path

import numpy as np


def painted(items, names):
    """By photograph, the pixels of each class: of polygons, masks and run lengths."""
    found = {}
    for item in items:
        height, width = item.media.size if item.media is not None and item.media.size else (60, 80)
        masks = {}
        for annotation in item.annotations:
            kind = annotation.type.name
            if kind == "polygon":
                from pycocotools import mask as rle

                packed = rle.merge(rle.frPyObjects([annotation.points], height, width))
                drawn = rle.decode(packed)
            elif kind == "mask":
                drawn = np.asarray(annotation.image)
            else:
                continue
            name = names[annotation.label]
            masks[name] = masks.get(name, 0) | drawn.astype(bool)
        found[item.id] = {name: int(mask.sum()) for name, mask in masks.items() if mask.any()}
    return found


def by_datumaro(form, directory):
    """Whatever datumaro reads."""
    import datumaro

    dataset = datumaro.Dataset.import_from(str(directory), form)
    names = [label.name for label in dataset.categories()[datumaro.AnnotationType.label]]
    return painted(dataset, names)


def by_supervision(directory):
    """YOLO's polygons of both splits, under the names of images."""
    import supervision

    found = {}
    for split in ("train", "val"):
        dataset = supervision.DetectionDataset.from_yolo(
            f"{directory}/images/{split}",
            f"{directory}/labels/{split}",
            f"{directory}/data.yaml",
            force_masks=True,
        )
        for path, _, detections in dataset:
            areas = {}
            masks = () if detections.mask is None else detections.mask
            for mask, number in zip(masks, detections.class_id, strict=True):
                name = dataset.classes[int(number)]
                areas[name] = areas.get(name, 0) + int(mask.sum())
            found[Path(path).stem] = areas
    return found


def by_label_studio(directory):
    """Tasks, whose brush masks the SDK decodes."""
    from label_studio_sdk.converter.brush import decode_rle

    found = {}
    for task in json.loads((directory / "tasks.json").read_text(encoding="utf-8")):
        areas = {}
        for result in task["predictions"][0]["result"]:
            size = result["original_height"], result["original_width"], 4
            alpha = decode_rle(result["value"]["rle"]).reshape(size)[..., 3] > 0
            (name,) = result["value"]["brushlabels"]
            areas[name] = areas.get(name, 0) + int(alpha.sum())
        found[task["data"]["wsss_id"]] = areas
    return found


if __name__ == "__main__":
    form, place = sys.argv[1], Path(sys.argv[2])
    own = {"label-studio": by_label_studio, "yolo-seg": by_supervision}
    answer = own[form](place) if form in own else by_datumaro(form, place)
    print(json.dumps(answer))
