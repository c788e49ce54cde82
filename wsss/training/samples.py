"""The samples of each training: which images and maps, and how its section augments them."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from torch.utils.data import Dataset

from wsss.config import (
    AffinityTrainingConfig,
    C2amConfig,
    ClassifierConfig,
    PoolnetConfig,
    SegmentationTrainingConfig,
)
from wsss.data.balance import balanced
from wsss.data.index import Index
from wsss.data.pairs import PairedImages, StoredMaps
from wsss.data.palette import read_mask
from wsss.data.samples import TrainingImages, with_labels
from wsss.data.transforms import (
    AffinityTransform,
    ClassificationTransform,
    NativeTransform,
    Resampling,
    SaliencyTransform,
    SegmentationTransform,
)
from wsss.errors import UserError
from wsss.models import C2AM, AffinityNet, Classifier, PoolNet, Segmenter
from wsss.progress import LOGGER
from wsss.store.cams import CamShard
from wsss.store.label_maps import LabelShard


def labeled_images(index: Index, negatives: Literal["use", "drop"] = "drop") -> Index:
    """The images of a split that have a label and, with `use`, those that show none of the classes.

    What is left out, or used as negatives, is counted in the log. Raises UserError when none has a label.
    """
    labeled, others = with_labels(index)
    if not labeled.records:
        raise UserError(
            f"no image of split {index.split} has an image-level label, which training needs; label some of "
            "its images"
        )
    used = negatives == "use"
    if others:
        told = "show none of the classes: used as negatives" if used else "have no label: not used"
        LOGGER.info("%d of %d images of %s %s", others, len(index), index.split, told)
    return index if used else labeled


@dataclass(frozen=True)
class Supervision:
    """Images, and by id the label map (H, W) that each is trained on or scored against."""

    index: Index
    maps: Callable[[str], np.ndarray]

    @classmethod
    def of(cls, index: Index, pseudo_labels: Mapping[str, LabelShard]) -> "Supervision":
        """Images with their pseudo labels or, where there are none at all, with their masks.

        Images without a mask are then left out, and counted in the log. Raises UserError when none is left.
        """
        if pseudo_labels:
            return cls(index, StoredMaps(pseudo_labels))
        masked = replace(index, records=tuple(record for record in index if record.mask is not None))
        if left_out := len(index) - len(masked):
            LOGGER.info("%d of %d images of %s have no mask: not used", left_out, len(index), index.split)
        if not masked.records:
            raise UserError(
                f"split {index.split}: none of its {len(index)} images has a mask to train on or to select "
                "the epoch by (see segmentation.labels and segmentation.training.selection)"
            )
        return cls(masked, Masks(masked))


class Masks:
    """An image's mask in the data set, uint8 (H, W), by its id. index: of images that have one."""

    def __init__(self, index: Index) -> None:
        self.paths = {record.id: record.mask for record in index if record.mask is not None}

    def __call__(self, image_id: str) -> np.ndarray:
        return read_mask(self.paths[image_id])


class CamHints:
    """An image's hint: the largest CAM of its classes, float32 (H, W) in [0, 1]. shards: by image id."""

    def __init__(self, shards: Mapping[str, CamShard]) -> None:
        self.shards = shards

    def __call__(self, image_id: str) -> np.ndarray:
        hint: np.ndarray = self.shards[image_id][image_id].full().max(axis=0, initial=0)
        return hint


def classifier_samples(section: ClassifierConfig, index: Index, network: Classifier) -> Dataset:
    """Images with image-level labels: resized, mirrored, cropped, their colors changed, mixed if asked.

    Of images without a label an epoch has at most as many as of others.
    """
    keys, form = section.augmentation, asdict(network.normalization)
    transform = ClassificationTransform(keys.crop, keys.min_side, keys.max_side, augment=keys.color, **form)
    mix = None if keys.mix == "none" else keys.mix
    seed = section.optimisation.seed
    images = TrainingImages(index, transform, seed=seed, mix=mix, mix_probability=keys.mix_probability)
    return balanced(images, index, seed)


def c2am_samples(section: C2amConfig, index: Index, network: C2AM, hints: CamHints | None) -> Dataset:
    """Square images, cropped and mirrored, and their hints with them; balanced as of a classifier."""
    keys, form, seed = section.augmentation, asdict(network.normalization), section.optimisation.seed
    sides = keys.crop, keys.size, keys.size
    if hints is None:
        transform = ClassificationTransform(*sides, resampling=Resampling.BILINEAR, **form)
        return balanced(TrainingImages(index, transform, seed=seed), index, seed)
    paired = SaliencyTransform(*sides, **form)
    return balanced(PairedImages(index, hints, paired, name="hint", seed=seed), index, seed)


def poolnet_samples(
    section: PoolnetConfig, index: Index, network: PoolNet, shards: Mapping[str, LabelShard]
) -> PairedImages:
    """Images at their own size, mirrored or not, and their masks with them."""
    transform = NativeTransform(network.normalization)
    return PairedImages(index, StoredMaps(shards), transform, name="mask", seed=section.optimisation.seed)


def affinity_samples(
    section: AffinityTrainingConfig, index: Index, network: AffinityNet, shards: Mapping[str, LabelShard]
) -> PairedImages:
    """Images, resized, mirrored and cropped, and the affinity labels at a quarter of their resolution."""
    keys, form = section.augmentation, asdict(network.normalization)
    transform = AffinityTransform(keys.crop, keys.min_side, keys.max_side, **form)
    seed = section.optimisation.seed
    return PairedImages(index, StoredMaps(shards), transform, name="label_map", seed=seed)


def segmentation_samples(
    section: SegmentationTrainingConfig, images: Supervision, network: Segmenter
) -> PairedImages:
    """Images, resized, mirrored, cropped and their colors changed, and their label maps with them."""
    keys, form = section.augmentation, asdict(network.normalization)
    transform = SegmentationTransform(keys.crop, keys.min_side, keys.max_side, augment=keys.color, **form)
    seed = section.optimisation.seed
    return PairedImages(images.index, images.maps, transform, name="label_map", seed=seed)
