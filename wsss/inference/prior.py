"""What computes the CAMs of a run: its generator, or the image tower that its text vectors belong to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from wsss.inference.attention_cams import CAM_NETWORKS
from wsss.inference.clip_network import ClipCamNetwork
from wsss.inference.score_maps import MapSource
from wsss.inference.shards import open_network
from wsss.models import Classifier
from wsss.models.clip import clip_tower
from wsss.runs.step import Step
from wsss.store.text import is_text, read_text


def open_prior(
    step: Step, path: Path
) -> tuple[Any, tuple[str, ...], Callable[[Any, torch.device, str, bool], MapSource]]:
    """The model in a file, the names of its classes, and what makes CAMs of it (see `cam_maps`).

    Raises UserError when the file, or the weights that go with it, cannot be used, or belong to another
    configuration.
    """
    if not is_text(path):
        generator, header = open_network(step, "priors", path, Classifier)
        return generator, header.classes, CAM_NETWORKS[step.section.refine]
    text, digest = read_text(path)
    step.require("text", digest, path)
    tower = clip_tower(text.backbone, text.weights, text.vectors.shape[1])

    def network(model: Any, device: torch.device, precision: str, flip: bool) -> ClipCamNetwork:
        return ClipCamNetwork(model, text, device, flip=flip)

    return tower, text.classes, network
