"""All losses, as pure functions of tensors; their docstrings name paper and equation."""

from wsss.losses.affinity import PairLabels, affinity_loss, pair_affinities, pair_labels
from wsss.losses.c2am import c2am_loss, empty_loss, hint_loss, resize_hints, sim_max, sim_min
from wsss.losses.cams import entropy_loss, normalize_cam
from wsss.losses.classification import classification_loss, smooth_labels
from wsss.losses.erasing import erase_hard, erase_soft, evidence_of, maps_of_class
from wsss.losses.pairs import Direction, directions
from wsss.losses.puzzle import merge, reconstruction_loss, tile
from wsss.losses.saliency import saliency_loss
from wsss.losses.segmentation import labeled_pixels, segmentation_loss
