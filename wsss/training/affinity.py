"""From files to files: the training of AffinityNet as a stage of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from wsss.config import AffinityTrainingConfig
from wsss.data.index import Index
from wsss.data.pairs import PairedImages, StoredMaps
from wsss.data.transforms import AffinityTransform
from wsss.inference.shards import open_shards
from wsss.machine import distributed
from wsss.models import AffinityNet
from wsss.runs.step import Step
from wsss.store.label_maps import LabelShard
from wsss.store.networks import Header
from wsss.training.fit import fit, keep, labelled_images
from wsss.training.tasks import AffinityTask


def train_affinity(step: Step, index: Path, labels: Sequence[Path], out: Path, metrics: Path) -> None:
    """Train AffinityNet on affinity labels; images without image-level labels are left out, and counted.

    index: of the training split. labels: all its shards. out: the model. metrics: CSV of the training's
    course.
    """
    distributed.join()
    section: AffinityTrainingConfig = step.section
    images = step.read_index(index)
    labelled = labelled_images(step, images)
    shards = open_shards(step, "affinity_labels", LabelShard, labels, labelled)
    network = new_affinity_net(section)
    samples = affinity_samples(section, labelled, network, shards)
    trained = fit(step, AffinityTask(network, section), samples, section.optimisation)
    about = section.network
    header = Header(AffinityNet.__name__, about.backbone, about.output_stride, images.classes, step.digest)
    keep(step, trained, header, out, metrics)


def new_affinity_net(section: AffinityTrainingConfig) -> AffinityNet:
    """The network that a section describes, with its pretrained weights; the head starts from the seed."""
    network = section.network
    torch.manual_seed(section.optimisation.seed)
    return AffinityNet(network.backbone, output_stride=network.output_stride, weights=network.weights)


def affinity_samples(
    section: AffinityTrainingConfig, index: Index, network: AffinityNet, shards: Mapping[str, LabelShard]
) -> PairedImages:
    """Images, and the affinity labels at a quarter of their resolution with them."""
    look, crop = network.normalization, section.augmentation
    transform = AffinityTransform(
        crop.crop, crop.min_side, crop.max_side, mean=look.mean, std=look.std, order=look.order
    )
    seed = section.optimisation.seed
    return PairedImages(index, StoredMaps(shards), transform, name="label_map", seed=seed)
