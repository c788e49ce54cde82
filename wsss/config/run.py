"""The whole configuration of a run: one section per stage, and `machine`, which changes no result."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from wsss.config.dataset import Dataset
from wsss.config.priors import Oc, Priors
from wsss.config.section import Fault, Section, repeated
from wsss.config.training import Precision


class Cams(Section):
    """Inference of CAMs with test-time augmentation."""

    scales: tuple[Annotated[float, Field(gt=0, le=4)], ...] = Field(
        (0.5, 1.0, 1.5, 2.0),
        min_length=1,
        description="sizes that each image is seen at, as multiples of its own",
    )
    flip: bool = Field(True, description="see each image mirrored, too")
    precision: Precision = "float32"
    shards: int = Field(16, ge=1, le=999, description="files, and jobs, that a split's CAMs are divided into")

    def faults(self) -> Iterable[Fault]:
        yield from repeated("scales", self.scales)


class Evaluation(Section):
    """The sweep over background thresholds that CAMs are scored with (published: 0.05 to 0.80)."""

    threshold_from: float = Field(0.05, ge=0, le=1, description="least background score")
    threshold_to: float = Field(0.8, ge=0, le=1, description="greatest background score")
    threshold_step: float = Field(0.05, ge=0.001, le=1, description="distance of two background scores")

    def faults(self) -> Iterable[Fault]:
        if self.threshold_from > self.threshold_to:
            yield Fault("threshold_from", f"at most threshold_to, which is {self.threshold_to}")

    @property
    def thresholds(self) -> tuple[float, ...]:
        """All background scores of the sweep, ascending; the last is `threshold_to` if the steps meet it."""
        steps = int((self.threshold_to - self.threshold_from) / self.threshold_step + 1e-6)
        return tuple(round(self.threshold_from + step * self.threshold_step, 6) for step in range(steps + 1))


class Machine(Section):
    """What the machine is and what it shall show: no result depends on it, nothing is made again."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="`auto` takes a GPU if there is one")
    gpus: int = Field(1, ge=1, description="GPUs per training; each takes its part of the batch")
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
    tensorboard: bool = Field(False, description="write the curves for TensorBoard, too")
    wandb: Literal["disabled", "offline", "online"] = Field(
        "disabled", description="log to Weights & Biases; `offline` keeps the log on this machine"
    )
    wandb_project: str = Field("wsss", min_length=1, description="project of Weights & Biases")


class RunConfig(Section):
    """A run, as described by `config/<run>.yaml` on top of the run that it extends."""

    extends: str | None = Field(None, description="run whose keys hold where this file sets none")
    dataset: Dataset
    oc: Oc = Oc()
    priors: Priors = Priors()
    cams: Cams = Cams()
    evaluation: Evaluation = Evaluation()
    machine: Machine = Machine()
