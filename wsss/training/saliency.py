"""From files to files: the trainings of C2AM and PoolNet as stages of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from wsss.config import C2amConfig, PoolnetConfig
from wsss.data.index import Index
from wsss.data.pairs import PairedImages, StoredMaps
from wsss.data.samples import TrainingImages
from wsss.data.transforms import ClassificationTransform, NativeTransform, Resampling, SaliencyTransform
from wsss.errors import UserError
from wsss.inference.shards import open_shards
from wsss.machine import distributed
from wsss.models import C2AM, PoolNet
from wsss.progress import LOGGER
from wsss.runs.step import Step
from wsss.store.cams import CamShard
from wsss.store.label_maps import LabelShard
from wsss.store.networks import Header
from wsss.training.fit import fit, keep, labelled_images
from wsss.training.tasks import C2amTask, PoolnetTask


def train_c2am(step: Step, index: Path, out: Path, metrics: Path, *, cams: Sequence[Path] = ()) -> None:
    """Train C2AM, with hints where there are CAMs; images without labels are left out, and counted.

    index: of the training split. cams: all its shards, for C2AM-H. out: the model. metrics: CSV of the
    training's course.
    """
    distributed.join()
    section: C2amConfig = step.section
    method = step.run.config.saliency.method
    if step.run.config.saliency.uses_hints != bool(cams):
        raise UserError(f"saliency.method {method}: {'give no' if cams else 'give the shards of the'} CAMs")
    images = step.read_index(index)
    labelled = labelled_images(step, images)
    shards = open_shards(step, "cams", CamShard, cams, labelled) if cams else None
    network = new_c2am(section)
    task = C2amTask(network, section, hints=shards is not None)
    samples = c2am_samples(section, labelled, network, CamHints(shards) if shards else None)
    trained = fit(step, task, samples, section.optimisation)
    if shards is None:
        kind = "background and is turned round" if task.flip else "objects"
        LOGGER.info("c2am: the activation shows %s, by what reaches the images' borders", kind)
    header = Header(
        C2AM.__name__,
        section.network.backbone,
        section.network.output_stride,
        images.classes,
        step.digest,
        flip=task.flip,
    )
    keep(step, trained, header, out, metrics)


def train_poolnet(step: Step, index: Path, masks: Sequence[Path], out: Path, metrics: Path) -> None:
    """Train PoolNet on the masks of the CRF.

    index: of the training split. masks: all its shards. out: the model. metrics: CSV of the training's
    course.
    """
    distributed.join()
    section: PoolnetConfig = step.section
    images = step.read_index(index)
    shards = open_shards(step, "saliency_crf", LabelShard, masks, images)
    network = new_poolnet(section)
    samples = poolnet_samples(section, images, network, shards)
    trained = fit(step, PoolnetTask(network, section), samples, section.optimisation)
    about = section.network
    header = Header(PoolNet.__name__, about.backbone, about.output_stride, images.classes, step.digest)
    keep(step, trained, header, out, metrics)


class CamHints:
    """An image's hint: the largest CAM of its classes, float32 (H, W) in [0, 1]. shards: by image id."""

    def __init__(self, shards: Mapping[str, CamShard]) -> None:
        self.shards = shards

    def __call__(self, image_id: str) -> np.ndarray:
        hint: np.ndarray = self.shards[image_id][image_id].full().max(axis=0, initial=0)
        return hint


def new_c2am(section: C2amConfig) -> C2AM:
    """The network that a section describes, with its pretrained weights; the head starts from the seed."""
    network = section.network
    torch.manual_seed(section.optimisation.seed)
    return C2AM(
        network.backbone,
        output_stride=network.output_stride,
        norm=network.norm,
        weights=network.weights,
        freeze=network.freeze,
    )


def new_poolnet(section: PoolnetConfig) -> PoolNet:
    """The network that a section describes, with its pretrained weights; the head starts from the seed."""
    network = section.network
    torch.manual_seed(section.optimisation.seed)
    return PoolNet(network.backbone, output_stride=network.output_stride, weights=network.weights)


def c2am_samples(section: C2amConfig, index: Index, network: C2AM, hints: CamHints | None) -> Dataset:
    """Square images, cut and mirrored, and their hints with them."""
    look, seed = network.normalization, section.optimisation.seed
    bounds = section.augmentation.crop, section.augmentation.size, section.augmentation.size
    if hints is None:
        transform = ClassificationTransform(
            *bounds, look.mean, look.std, resampling=Resampling.BILINEAR, order=look.order
        )
        return TrainingImages(index, transform, seed=seed)
    paired = SaliencyTransform(*bounds, look.mean, look.std, order=look.order)
    return PairedImages(index, hints, paired, name="hint", seed=seed)


def poolnet_samples(
    section: PoolnetConfig, index: Index, network: PoolNet, shards: Mapping[str, LabelShard]
) -> PairedImages:
    """Images at their own size, mirrored or not, and their masks with them."""
    transform = NativeTransform(network.normalization)
    return PairedImages(index, StoredMaps(shards), transform, name="mask", seed=section.optimisation.seed)
