"""The forms in which label maps leave, one module each. A writer takes one photograph at a time."""

from collections.abc import Callable

from wsss.exports.formats.coco import CocoWriter
from wsss.exports.formats.cvat import CvatWriter
from wsss.exports.formats.folders import ImagesAndMasksWriter, VocWriter
from wsss.exports.formats.label_studio import LabelStudioWriter
from wsss.exports.formats.writer import Target, Writer
from wsss.exports.formats.yolo import YoloWriter

#: by the value of `--format`
FORMATS: dict[str, Callable[[Target], Writer]] = {
    "coco": CocoWriter,
    "yolo-seg": YoloWriter,
    "cvat": CvatWriter,
    "label-studio": LabelStudioWriter,
    "images+masks": ImagesAndMasksWriter,
    "voc": VocWriter,
}

__all__ = ["FORMATS", "Target", "Writer"]
