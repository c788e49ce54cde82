"""From files to files: the training of the segmentation network as a stage of a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from wsss.config import SegmentationTrainingConfig
from wsss.data.index import Index
from wsss.data.pairs import PairedImages, StoredMaps
from wsss.data.palette import read_mask
from wsss.data.transforms import SegmentationTransform
from wsss.errors import UserError
from wsss.inference.shards import open_shards
from wsss.machine import distributed
from wsss.machine.devices import torch_device
from wsss.models import DeepLabV3Plus
from wsss.progress import LOGGER
from wsss.runs.step import Step
from wsss.store.label_maps import LabelShard
from wsss.store.networks import Header
from wsss.training.fit import fit, keep
from wsss.training.selection import Selection
from wsss.training.tasks import SegmentationTask
from wsss.training.validation import Validation


def train_segmentation(
    step: Step,
    index: Path,
    labels: Sequence[Path],
    out: Path,
    metrics: Path,
    *,
    val_index: Path | None = None,
    val_labels: Sequence[Path] = (),
) -> None:
    """Train the segmentation network on pseudo labels or, where the run asks for it, on the data's own masks.

    index: of the training split. labels: all its pseudo labels' shards, none to take the masks. out: the
    model. metrics: CSV of the training's course. val_index, val_labels: the same of the split that chooses
    the epoch; without an index the last one is kept.
    """
    distributed.join()
    section: SegmentationTrainingConfig = step.section
    lesson = labelled_images(step, index, labels)
    network = new_segmenter(section, len(lesson.index.classes) + 1)
    selection = None
    if val_index is not None:
        exam = labelled_images(step, val_index, val_labels)
        score = Validation(
            exam.index,
            exam.maps,
            device=torch_device(distributed.rank(), threads=step.machine.threads),
            precision=section.optimisation.precision,
            workers=step.machine.workers,
            progress=step.machine.progress,
        )
        selection = Selection(score, every=section.evaluate_every)
    samples = segmentation_samples(section, lesson, network)
    task = SegmentationTask(network, section)
    trained = fit(step, task, samples, section.optimisation, selection=selection)
    about = section.network
    header = Header(
        DeepLabV3Plus.__name__,
        about.backbone,
        about.output_stride,
        lesson.index.classes,
        step.digest,
        head_norm=about.head_norm,
    )
    keep(step, trained, header, out, metrics)


@dataclass(frozen=True)
class Lesson:
    """Images, and by id the label map (H, W) that each is learnt or scored from."""

    index: Index
    maps: Callable[[str], np.ndarray]


def labelled_images(step: Step, index: Path, labels: Sequence[Path]) -> Lesson:
    """The images of an index with their pseudo labels in `labels`, or with their masks where there are none.

    Images without a mask are then left out, and counted. Raises UserError when no image is left.
    """
    images = step.read_index(index)
    if labels:
        return Lesson(images, StoredMaps(open_shards(step, "pseudo_labels", LabelShard, labels, images)))
    masked = replace(images, records=tuple(record for record in images if record.mask is not None))
    if left_out := len(images) - len(masked):
        LOGGER.info("%s: %d of %d images have no mask and are left out", images.split, left_out, len(images))
    if not masked.records:
        raise UserError(
            f"split {images.split}: none of its {len(images)} images has a mask to learn from or to choose "
            "the epoch by (see segmentation.labels and segmentation.training.selection)"
        )
    return Lesson(masked, Annotations(masked))


class Annotations:
    """An image's mask in the data set, uint8 (H, W), by its id. index: of images that have one."""

    def __init__(self, index: Index) -> None:
        self.paths = {record.id: record.mask for record in index if record.mask is not None}

    def __call__(self, image_id: str) -> np.ndarray:
        return read_mask(self.paths[image_id])


def new_segmenter(section: SegmentationTrainingConfig, classes: int) -> DeepLabV3Plus:
    """The network that a section describes, with its pretrained weights; the head starts from the seed.

    classes: with background.
    """
    network = section.network
    torch.manual_seed(section.optimisation.seed)
    return DeepLabV3Plus(
        network.backbone,
        classes,
        norm=network.head_norm,
        backbone_norm=network.norm,
        output_stride=network.output_stride,
        weights=network.weights,
        freeze=network.freeze,
    )


def segmentation_samples(
    section: SegmentationTrainingConfig, lesson: Lesson, network: DeepLabV3Plus
) -> PairedImages:
    """Images, resized, cut, mirrored and their colours changed, and their label maps with them."""
    look, crop = network.normalization, section.augmentation
    transform = SegmentationTransform(
        crop.crop,
        crop.min_side,
        crop.max_side,
        mean=look.mean,
        std=look.std,
        order=look.order,
        augment=crop.color,
    )
    seed = section.optimisation.seed
    return PairedImages(lesson.index, lesson.maps, transform, name="label_map", seed=seed)
