"""Training a CAM network from a section of the configuration: the ordinary classifier or the generator."""

from pathlib import Path

import torch

from wsss.config import Machine, Oc, Priors, Training
from wsss.data.index import Index
from wsss.data.samples import TrainingImages, with_labels
from wsss.data.transforms import ClassificationTransform
from wsss.devices import torch_device
from wsss.errors import UserError
from wsss.models import Classifier
from wsss.models.norm import NormMode
from wsss.progress import LOGGER
from wsss.training import distributed
from wsss.training.checkpoint import Checkpoints
from wsss.training.engine import Training as Loop
from wsss.training.pictures import CamPictures
from wsss.training.tasks import PRIOR_TASKS


def new_classifier(section: Training, classes: int, *, norm: NormMode | None = None) -> Classifier:
    """The network that a section describes, with its pretrained weights; the head starts from the seed."""
    network = section.network
    torch.manual_seed(section.optimisation.seed)
    return Classifier(
        network.backbone,
        classes,
        output_stride=network.output_stride,
        norm=norm or network.norm,
        weights=network.weights,
        freeze=network.freeze,
    )


def train_classifier(
    section: Oc | Priors,
    index: Index,
    *,
    name: str,
    checkpoints: Path,
    curves: Path,
    digest: str,
    machine: Machine,
    oc: Classifier | None = None,
) -> tuple[Classifier, Classifier | None]:
    """Train by the section's method; an `oc` section is plain classification.

    index: of the training split; images without labels are left out, and counted. checkpoints: directory
    that the training keeps itself in; curves: directory for TensorBoard and W&B. digest: of the
    configuration. oc: for the methods that erase. Returns the trained network and the OC as it is afterwards.
    """
    distributed.join()
    settings = section if isinstance(section, Priors) else _plain(section)
    labelled, left_out = with_labels(index)
    if left_out:
        LOGGER.info("%s: %d of %d images have no label and are left out", name, left_out, len(index))
    if not labelled.records:
        raise UserError(
            f"{name}: no image of split {index.split} has a label; training needs some: label "
            "images, or choose another dataset.train"
        )
    network = new_classifier(section, len(index.classes))
    task = PRIOR_TASKS[settings.method](network, settings, oc)
    loop = Loop(
        task,
        _samples(section, labelled, network),
        section.optimisation,
        name=name,
        checkpoints=Checkpoints(checkpoints, digest),
        curves=curves,
        machine=machine,
        device=torch_device(distributed.rank(), threads=machine.threads),
        pictures=CamPictures(labelled, curves / "pictures", name=name) if machine.pictures else None,
    )
    trained = loop.run()
    assert isinstance(trained, Classifier)
    return trained, task.oc


def _plain(section: Oc) -> Priors:
    return Priors.model_validate({**section.model_dump(), "method": "vanilla"})


def _samples(section: Training, index: Index, network: Classifier) -> TrainingImages:
    augmentation = section.augmentation
    transform = ClassificationTransform(
        augmentation.crop,
        augmentation.min_side,
        augmentation.max_side,
        mean=network.normalization.mean,
        std=network.normalization.std,
        augment=augmentation.color,
        order=network.normalization.order,
    )
    return TrainingImages(
        index,
        transform,
        seed=section.optimisation.seed,
        mix=None if augmentation.mix == "none" else augmentation.mix,
        mix_probability=augmentation.mix_probability,
    )
