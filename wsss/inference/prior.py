"""What computes the CAMs of a run: its generator, or the image tower that its text vectors belong to."""

from pathlib import Path

from wsss.inference.attention_cams import CAM_NETWORKS
from wsss.inference.clip_network import ClipCamNetwork
from wsss.inference.score_maps import MapSource
from wsss.inference.shards import open_network
from wsss.machine.devices import torch_device
from wsss.models import Classifier
from wsss.models.clip import clip_tower
from wsss.runs.step import Step
from wsss.store.text import is_text, read_text


def open_prior(step: Step, path: Path) -> tuple[MapSource, tuple[str, ...]]:
    """What makes CAMs of the model in a file, on this step's device, and the names of its classes.

    Raises UserError when the file, or the weights that go with it, cannot be used, or belong to another
    configuration.
    """
    section, device = step.section, torch_device(threads=step.machine.threads)
    if not is_text(path):
        generator, header = open_network(step, "priors", path, Classifier)
        network = CAM_NETWORKS[section.refine](generator, device, section.precision, section.flip)
        return network, header.classes
    text, digest = read_text(path)
    step.require("text", digest, path)
    tower = clip_tower(text.backbone, text.weights, text.vectors.shape[1])
    return ClipCamNetwork(tower, text, device, flip=section.flip), text.classes
