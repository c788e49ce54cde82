"""The whole configuration of a run: one section per stage, and `machine`, which changes no result."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from wsss.config.affinity import AffinityConfig
from wsss.config.dataset import DatasetConfig
from wsss.config.given import GivenConfig
from wsss.config.inference import CamsConfig, EvaluationConfig
from wsss.config.priors import OcConfig, PriorsConfig
from wsss.config.saliency import SaliencyConfig
from wsss.config.section import Fault, Section
from wsss.config.segmentation import SegmentationConfig


class MachineConfig(Section):
    """What the machine is and what it shall show: no result depends on it, nothing is made again."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="`auto` takes a GPU if there is one")
    gpus: int = Field(1, ge=1, description="GPUs per training; each takes its part of the batch")
    nodes: int = Field(
        1, ge=1, description="nodes per training, each with `gpus` (or `processes`) of its own; needs Slurm"
    )
    processes: int = Field(
        1,
        ge=1,
        description="processes per training on a CPU; each takes its part of the batch and of `threads`",
    )
    threads: int = Field(4, ge=1, description="CPU threads of a training or an inference")
    workers: int = Field(4, ge=0, description="processes that load images; 0: the training loads them itself")
    inference_batch: int = Field(8, ge=1, description="images of one size that inference sees at once")
    checkpoint_minutes: float = Field(
        10.0, ge=0, description="minutes between two checkpoints of a training; 0: one after every step"
    )
    progress: bool = Field(True, description="show progress bars")
    pictures: bool = Field(
        False,
        description="draw the CAMs of eight training images after every epoch of `oc` and `priors`, to "
        "`curves/` and to W&B and TensorBoard where they are on",
    )
    tensorboard: bool = Field(False, description="write the curves for TensorBoard, too")
    wandb: Literal["disabled", "offline", "online"] = Field(
        "disabled", description="log to Weights & Biases; `offline` keeps the log on this machine"
    )
    wandb_project: str = Field("wsss", min_length=1, description="project of Weights & Biases")


class RunConfig(Section):
    """A run, as described by `config/<run>.yaml` on top of the run that it extends."""

    extends: str | None = Field(None, description="run whose keys hold where this file sets none")
    dataset: DatasetConfig
    oc: OcConfig = OcConfig()
    priors: PriorsConfig = PriorsConfig()
    cams: CamsConfig = CamsConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    saliency: SaliencyConfig = SaliencyConfig()
    affinity: AffinityConfig = AffinityConfig()
    segmentation: SegmentationConfig = SegmentationConfig()
    given: GivenConfig = GivenConfig()
    machine: MachineConfig = MachineConfig()

    def faults(self) -> Iterable[Fault]:
        labels = self.affinity.labels
        if self.saliency.method == "none" and labels.bg_threshold >= labels.fg_threshold:
            must = f"below fg_threshold, which is {labels.fg_threshold}, in a run without saliency"
            yield Fault("affinity.labels.bg_threshold", must)
        if self.segmentation.labels == "ground_truth" and not self.dataset.has_masks:
            yield Fault("segmentation.labels", "pseudo, where the data set has no masks (dataset.masks)")
