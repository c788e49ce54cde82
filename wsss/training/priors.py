"""From files to files: the training of a CAM network, the ordinary classifier or the generator."""

from dataclasses import replace
from pathlib import Path

import torch

from wsss.config import ClassifierConfig, OcConfig, PriorsConfig
from wsss.data.index import Index
from wsss.data.samples import TrainingImages
from wsss.data.transforms import ClassificationTransform
from wsss.inference.shards import require_classes
from wsss.machine import distributed
from wsss.models import Classifier
from wsss.models.norm import NormMode
from wsss.runs.step import Step
from wsss.store.networks import Header, load_network, save_model
from wsss.training.fit import fit, keep, labelled_images
from wsss.training.pictures import CamPictures
from wsss.training.tasks import PRIOR_TASKS


def new_classifier(section: ClassifierConfig, classes: int, *, norm: NormMode | None = None) -> Classifier:
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


def train_prior(step: Step, index: Path, out: Path, metrics: Path, *, oc: Path | None = None) -> None:
    """Train by the section's method; an `oc` section is plain classification.

    index: of the training split; images without labels are left out, and counted. out: the model; P-NOC's OC
    goes beside it, if it is kept. metrics: CSV of the training's course. oc: model of the ordinary
    classifier, for the methods that erase.
    """
    distributed.join()
    section: OcConfig | PriorsConfig = step.section
    settings = section if isinstance(section, PriorsConfig) else _plain(section)
    images = step.read_index(index)
    labelled = labelled_images(step, images)
    judge, about = _judge(step, settings, images, oc) if oc is not None else (None, None)
    network = new_classifier(section, len(images.classes))
    task = PRIOR_TASKS[settings.method](network, settings, judge)
    pictures = CamPictures(labelled, step.curves / "pictures", name=step.name)
    trained = fit(
        step,
        task,
        _samples(section, labelled, network),
        section.optimisation,
        pictures=pictures if step.machine.pictures else None,
    )
    described = section.network
    header = Header(
        Classifier.__name__, described.backbone, described.output_stride, images.classes, step.digest
    )
    kept = settings.method == "pnoc" and settings.noc.keep_oc
    if kept and task.oc is not None and about is not None and distributed.rank() == 0:
        save_model(out.with_stem(f"{out.stem}_oc"), task.oc, replace(about, digest=step.digest))
    keep(step, trained, header, out, metrics)


def _judge(step: Step, settings: PriorsConfig, images: Index, model: Path) -> tuple[Classifier, Header]:
    norm = settings.noc.oc_norm if settings.method == "pnoc" else "fix"
    judge, about = load_network(model, Classifier, norm=norm, freeze=settings.network.freeze)
    step.require("oc", about.digest, model)
    require_classes(images, about.classes, model)
    return judge, about


def _plain(section: OcConfig) -> PriorsConfig:
    return PriorsConfig.model_validate({**section.model_dump(), "method": "vanilla"})


def _samples(section: ClassifierConfig, index: Index, network: Classifier) -> TrainingImages:
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
