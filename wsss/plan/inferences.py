"""The inference of a run's stages on a pretended GPU: the same networks, and images without numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch._subclasses.fake_tensor import unset_fake_temporarily

from wsss.config import RunConfig
from wsss.data.index import Record
from wsss.inference.attention_cams import CAM_NETWORKS
from wsss.inference.cam_network import C2amNetwork
from wsss.inference.clip_network import ClipCamNetwork
from wsss.inference.device_network import DeviceNetwork
from wsss.inference.masks import SegmentationNetwork
from wsss.inference.random_walks import random_walk
from wsss.inference.saliency import stack_saliency
from wsss.inference.stacks import Stack, scaled_size
from wsss.inference.walks import EdgeNetwork
from wsss.models import C2AM, AffinityNet, Classifier, PoolNet
from wsss.models.clip import clip_tower
from wsss.plan.pretended_gpu import GPU, pretended
from wsss.plan.trainings import Subject, network
from wsss.runs.choices import prior_stage
from wsss.runs.stages import STAGES
from wsss.store.text import TextVectors
from wsss.store.walks import STRIDE
from wsss.training.networks import SEGMENTERS

#: classes of an image that have a CAM
MAPS = 2
#: width of CLIP's common space, words of the background, and the logarithm of the temperature
CLIP_WIDTH, BACKGROUND, LOGIT_SCALE = 512, 24, 4.6

#: infers so many images of one size
Run = Callable[[int], None]


@dataclass(frozen=True)
class Inference:
    """A network on the pretended GPU, and what infers a stack of images with it."""

    model: nn.Module
    run: Run


def pretended_inference(
    config: RunConfig, stage: str, subject: Subject, precision: str | None = None
) -> Inference:
    """The inference of a stage of `INFERENCES`; to be called inside `pretended_gpu`. precision: the
    section's.
    """
    section = attrgetter(STAGES[stage].section)(config)
    if precision is not None and hasattr(section, "precision"):
        section = section.model_copy(update={"precision": precision})
    return INFERENCES[stage](config, section, subject)


def _cams(config: RunConfig, section: Any, subject: Subject) -> Inference:
    if prior_stage(config) != "text":
        generator = network(Classifier, config.priors, subject)
        cams = CAM_NETWORKS[config.cams.refine](generator, GPU, section.precision, section.flip)
        return Inference(generator, _of_maps(cams, section.scales, subject))
    backbone = config.priors.network.backbone
    with unset_fake_temporarily(), torch.device("meta"):
        empty = clip_tower(backbone, "none", CLIP_WIDTH).to_empty(device="cpu")
    tower, words = pretended(empty), tuple(map(str, range(BACKGROUND)))
    vectors, background = (
        np.zeros((count, CLIP_WIDTH), np.float32) for count in (subject.classes, BACKGROUND)
    )
    text = TextVectors(subject.names, vectors, words, background, LOGIT_SCALE, backbone, "none")
    return Inference(
        tower, _of_maps(ClipCamNetwork(tower, text, GPU, flip=section.flip), section.scales, subject)
    )


def _c2am_maps(config: RunConfig, section: Any, subject: Subject) -> Inference:
    model = network(C2AM, config.saliency.c2am, subject)
    maps = C2amNetwork(model, GPU, section.precision, section.flip, reverse=False)
    return Inference(model, _of_maps(maps, section.scales, subject, channels=[0]))


def _saliency(config: RunConfig, section: Any, subject: Subject) -> Inference:
    model = network(PoolNet, config.saliency.poolnet, subject)
    poolnet = DeviceNetwork(model, GPU, section.precision)

    def run(images: int) -> None:
        stack_saliency(poolnet, _stack(section.scales, subject, images), section.flip)

    return Inference(model, run)


def _walks(config: RunConfig, section: Any, subject: Subject) -> Inference:
    model = network(AffinityNet, config.affinity.training, subject)
    edges = EdgeNetwork(model, GPU, section.side)
    height, width = (-(-side // STRIDE) for side in subject.size)

    def run(images: int) -> None:
        (pixels,) = _stack([1.0], subject, images).pixels
        cams = torch.zeros(images, MAPS, height, width).to(GPU)
        keys = {"beta": section.beta, "steps": section.steps, "radius": section.radius}
        random_walk(cams, edges.edges(pixels, "images"), **keys).cpu()

    return Inference(model, run)


def _masks(config: RunConfig, section: Any, subject: Subject) -> Inference:
    trained = config.segmentation.training
    model = network(SEGMENTERS[trained.network.kind], trained, subject)
    masks = SegmentationNetwork(model, GPU, section.precision, section.flip)

    def run(images: int) -> None:
        masks.probabilities(_stack(section.scales, subject, images).pixels, subject.size, "images")

    return Inference(model, run)


#: by stage, what makes its network and its inference
INFERENCES: dict[str, Callable[[RunConfig, Any, Subject], Inference]] = {
    "cams": _cams,
    "c2am_maps": _c2am_maps,
    "saliency": _saliency,
    "walks": _walks,
    "masks": _masks,
}


def _of_maps(
    maps: Any, scales: Sequence[float], subject: Subject, channels: Sequence[int] = range(MAPS)
) -> Run:
    def run(images: int) -> None:
        for pixels in _stack(scales, subject, images).pixels:
            maps(pixels, [list(channels)] * images, "images")

    return run


def _stack(scales: Sequence[float], subject: Subject, images: int) -> Stack:
    record = Record("image", Path("image"), None, ())
    sizes = [scaled_size(subject.size, scale) for scale in scales]
    pixels = [torch.zeros(images, *size, 3, dtype=torch.uint8) for size in sizes]
    return Stack(list(range(images)), [record] * images, [subject.size] * images, pixels)
