"""Every objective as pure functions of tensors, with the paper and equation it comes from."""

from wsss.losses.cams import entropy_loss, normalize_cam
from wsss.losses.classification import classification_loss, smooth_labels
from wsss.losses.erasing import erase_hard, erase_soft, evidence_of, maps_of_class
from wsss.losses.puzzle import merge, reconstruction_loss, tile
from wsss.losses.schedules import ramp

__all__ = [
    "classification_loss",
    "entropy_loss",
    "erase_hard",
    "erase_soft",
    "evidence_of",
    "maps_of_class",
    "merge",
    "normalize_cam",
    "ramp",
    "reconstruction_loss",
    "smooth_labels",
    "tile",
]
