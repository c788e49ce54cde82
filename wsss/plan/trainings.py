"""The trainings of a run without its images, on a pretended GPU or a real one: the same networks, tasks and
trainer, and a batch without numbers.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import unset_fake_temporarily

from wsss.config import MachineConfig, OptimizationConfig, RunConfig, TrainingConfig
from wsss.models import C2AM, AffinityNet, Classifier, DeepLabV3Plus, LinearSegmenter, PoolNet
from wsss.plan.pretended_gpu import GPU, is_pretended, pretended
from wsss.runs.stages import STAGES
from wsss.training.networks import SEGMENTERS, new_network
from wsss.training.task import Task
from wsss.training.tasks import (
    PRIOR_TASKS,
    AffinityTask,
    C2amTask,
    PoolnetTask,
    SegmentationTask,
    vanilla_settings,
)
from wsss.training.trainer import Trainer

#: stride of AffinityNet's edges
EDGE_STRIDE = 4


@dataclass(frozen=True)
class Subject:
    """What a training sees. size: (H, W) of an image that is not cropped. classes: without the background."""

    size: tuple[int, int]
    classes: int

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each class."""
        return tuple(map(str, range(self.classes)))


@dataclass(frozen=True)
class PlanJob:
    """A training's job that leaves nothing behind (`wsss.training.job.TrainJob`)."""

    name: str
    checkpoints: Path
    digest: str = ""
    machine: MachineConfig = field(
        default_factory=lambda: MachineConfig(workers=0, progress=False, threads=1)
    )

    @property
    def curves(self) -> Path:
        """Never written."""
        return self.checkpoints

    @property
    def finished(self) -> Path:
        """Never written."""
        return self.checkpoints


def network(architecture: type[nn.Module], section: Any, subject: Subject) -> Any:
    """The network that a section describes, with random weights; inside `pretended_gpu`, a pretended one."""
    plain = section.model_copy(update={"network": section.network.model_copy(update={"weights": "none"})})
    if not is_pretended():
        return new_network(architecture, plain, subject.names, "")[0]
    with unset_fake_temporarily(), torch.device("meta"):
        made, _ = new_network(architecture, plain, subject.names, "")
        made = made.to_empty(device="cpu")  # which takes no memory until it is written
    return pretended(made)


def section_of(config: RunConfig, stage: str) -> Any:
    """A training's section, with each batch an optimizer step."""
    section: TrainingConfig = attrgetter(STAGES[stage].section)(config)
    return section.model_copy(
        update={"optimisation": section.optimisation.model_copy(update={"accumulate": 1})}
    )


def task_of(config: RunConfig, stage: str, section: Any, subject: Subject) -> Task:
    """The task of a training and its networks, pretended; see `workflow/scripts/`."""
    if stage == "oc":
        return PRIOR_TASKS["vanilla"](network(Classifier, section, subject), vanilla_settings(section))
    if stage == "priors":
        oc = None
        if section.uses_oc:
            norm = section.noc.oc_norm if section.method == "pnoc" else "fix"
            keys = config.oc.network.model_copy(update={"norm": norm, "freeze": section.network.freeze})
            oc = network(Classifier, config.oc.model_copy(update={"network": keys}), subject)
        return PRIOR_TASKS[section.method](network(Classifier, section, subject), section, oc)
    if stage == "c2am":
        return C2amTask(network(C2AM, section, subject), section, hints=config.saliency.uses_hints)
    if stage == "poolnet":
        return PoolnetTask(network(PoolNet, section, subject), section)
    if stage == "affinity":
        return AffinityTask(network(AffinityNet, section, subject), section)
    segmenter: type[DeepLabV3Plus | LinearSegmenter] = SEGMENTERS[section.network.kind]  # type: ignore[assignment]
    return SegmentationTask(network(segmenter, section, subject), section)


def batch_of(stage: str, section: Any, subject: Subject, images: int) -> dict[str, Any]:
    """A batch as a training's data set and `collate` give it, of zeros on the CPU
    (`wsss.training.task.Batch`).
    """
    crop = getattr(getattr(section, "augmentation", None), "crop", None)
    height, width = (crop, crop) if crop else subject.size
    batch: dict[str, Any] = {"image": torch.zeros(images, 3, height, width), "id": ["image"] * images}
    if stage in ("oc", "priors"):
        batch |= {"label": torch.zeros(images, subject.classes), "draw": torch.zeros(images).double()}
    elif stage in ("c2am", "poolnet"):
        batch["hint" if stage == "c2am" else "mask"] = torch.zeros(images, 1, height, width)
    else:
        stride = EDGE_STRIDE if stage == "affinity" else 1
        size = (images, height // stride, width // stride)
        batch["label_map"] = torch.zeros(size, dtype=torch.uint8)
    return batch


def trainer_of_stage(
    config: RunConfig,
    stage: str,
    subject: Subject,
    *,
    images: int,
    device: torch.device = GPU,
    **optimization: Any,
) -> tuple[Trainer, dict[str, Any]]:
    """A trainer of a stage on a device, and a batch of so many images for it.

    Inside `pretended_gpu` its networks have no numbers, and weigh nothing.
    optimization: keys of the section `optimisation` to replace.
    """
    section = section_of(config, stage)
    settings: OptimizationConfig = section.optimisation.model_copy(update={"batch": images, **optimization})
    section = section.model_copy(update={"optimisation": settings})
    task = task_of(config, stage, section, subject)
    samples: Any = range(10 * images)
    with tempfile.TemporaryDirectory() as directory:
        job = PlanJob(stage, Path(directory) / "checkpoints")
        trainer = Trainer(task, samples, settings, job, device=device)
    return trainer, batch_of(stage, section, subject, images)


def to_device_batch(batch: dict[str, Any], device: torch.device = GPU) -> dict[str, Any]:
    """The batch, copied to a device beforehand."""
    return {key: value.to(device) if isinstance(value, Tensor) else value for key, value in batch.items()}


def networks_of(task: Task) -> Iterator[nn.Module]:
    """All networks of a task."""
    yield from (trainable.network for trainable in task.trainables.values())
    yield from task.frozen


def not_on_gpu(task: Task) -> list[str]:
    """Names of the parameters and buffers that are not on the GPU."""
    tensors: Callable[[nn.Module], list[tuple[str, Tensor]]] = lambda net: [  # noqa: E731
        *net.named_parameters(),
        *net.named_buffers(),
    ]
    return [name for net in networks_of(task) for name, tensor in tensors(net) if tensor.device != GPU]
