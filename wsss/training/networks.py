"""The network of a training as its section describes it: a pretrained backbone, and a head to be trained."""

from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn

from wsss.config import NetworkConfig, TrainingConfig
from wsss.config.segmentation import SegmentationNetworkConfig
from wsss.models import DeepLabV3Plus, LinearSegmenter, Segmenter
from wsss.store.networks import ARCHITECTURES, Header

Net = TypeVar("Net", bound=nn.Module)


#: by the value of `segmentation.training.network.kind`
SEGMENTERS: dict[str, type[Segmenter]] = {"deeplab": DeepLabV3Plus, "linear": LinearSegmenter}


def new_network(
    architecture: type[Net], section: TrainingConfig, classes: tuple[str, ...], digest: str
) -> tuple[Net, Header]:
    """A network with pretrained weights in its backbone and, by the section's seed, random ones in its head.

    architecture: its class in `wsss.models`. classes: foreground class names in channel order. digest: of the
    configuration. Also returns the header of the network's file. Raises UserError when the backbone or its
    weights are not known.
    """
    keys = section.network
    options: dict[str, Any] = {"weights": keys.weights}
    if isinstance(keys, NetworkConfig) and architecture is not LinearSegmenter:
        norm = "backbone_norm" if architecture is DeepLabV3Plus else "norm"
        options |= {norm: keys.norm, "freeze": keys.freeze}
    header = Header(architecture.__name__, keys.backbone, keys.output_stride, classes, digest)
    if isinstance(keys, SegmentationNetworkConfig):
        header = replace(header, head_norm=keys.head_norm)
    torch.manual_seed(section.optimisation.seed)
    network: Net = ARCHITECTURES[architecture](header, **options)
    return network, header
