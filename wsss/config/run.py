"""The whole configuration of a run: one section per stage, and `machine`, which changes no result."""

import json
from collections.abc import Iterable
from functools import reduce
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from wsss.config.affinity import AffinityConfig
from wsss.config.dataset import DatasetConfig
from wsss.config.given import GivenConfig
from wsss.config.inference import CamsConfig, EvaluationConfig
from wsss.config.priors import OcConfig, PriorsConfig
from wsss.config.regions import RegionsConfig
from wsss.config.saliency import SaliencyConfig
from wsss.config.section import Fault, Section
from wsss.config.segmentation import SegmentationConfig
from wsss.config.shared import SharedNetworkConfig, shared_keys, with_shared
from wsss.config.training import SEVERAL


class MachineConfig(Section):
    """The machine and what it displays. No result depends on it: a change re-runs nothing."""

    device: Annotated[
        Literal["auto", "cpu", "cuda"], Field(description="`auto` uses a GPU if there is one")
    ] = "auto"
    gpus: Annotated[
        int,
        Field(
            ge=1,
            description="GPUs per training and node, which share each batch; a batch that cannot be divided "
            "equally is trained on fewer",
        ),
    ] = 1
    nodes: Annotated[
        int,
        Field(ge=1, description="nodes per training, each with `gpus` GPUs (or `processes`); needs Slurm"),
    ] = 1
    processes: Annotated[
        int,
        Field(
            ge=1,
            description="processes per training on a CPU, which share each batch and the `threads`; a batch "
            "that cannot be divided equally is trained in fewer",
        ),
    ] = 1
    threads: Annotated[int, Field(ge=1, description="CPU threads of a training or an inference job")] = 4
    workers: Annotated[
        int, Field(ge=0, description="processes that load images; 0: the training process loads them")
    ] = 4
    inference_batch: Annotated[int, Field(ge=1, description="batch size of the inference")] = 8
    fit: Annotated[
        bool,
        Field(
            description="a training that runs out of GPU memory goes on with every batch in parts, whose "
            "gradients add up; refused where that gives another result: with batch norm that learns, C2AM"
        ),
    ] = False
    recompute: Annotated[
        bool,
        Field(
            description="recompute the activations of the backbone's blocks in the backward pass: less GPU "
            "memory, a forward pass more per step, the same gradients"
        ),
    ] = False
    deterministic: Annotated[
        bool,
        Field(
            description="use torch's deterministic algorithms on GPUs, which are slower; where there is "
            "none, torch warns"
        ),
    ] = False
    checkpoint_minutes: Annotated[
        float,
        Field(ge=0, description="minutes between two checkpoints of a training; 0: after every step"),
    ] = 10.0
    progress: Annotated[bool, Field(description="show progress bars")] = True
    pictures: Annotated[
        bool,
        Field(
            description="draw the CAMs of eight training images after every epoch of `oc` and `priors`, in "
            "`curves/` and, where enabled, in W&B and TensorBoard",
        ),
    ] = False
    tensorboard: Annotated[bool, Field(description="log the training curves to TensorBoard, too")] = False
    wandb: Annotated[
        Literal["disabled", "offline", "online"],
        Field(description="log to Weights & Biases; `offline` keeps the log on this machine"),
    ] = "disabled"
    wandb_project: Annotated[str, Field(min_length=1, description="project in Weights & Biases")] = "wsss"


class RunConfig(Section):
    """A run, as described by `config/<run>.yaml` on top of the run that it extends.

    `seed` and `network` are passed on to the trainings by `from_values`.
    """

    extends: Annotated[
        str | None, Field(description="run that provides the keys that this file does not set")
    ] = None
    seed: Annotated[
        int,
        Field(ge=0, lt=2**32, description="seed of all trainings; a training's own `seed` takes precedence"),
    ] = 0
    seeds: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=2**32)], ...],
        Field(
            description="seeds with which the trainings are repeated: tables and the report show means and "
            "standard deviations over them; `[]`: no repetition"
        ),
    ] = ()
    dataset: DatasetConfig
    network: SharedNetworkConfig = SharedNetworkConfig()
    oc: OcConfig = OcConfig()
    priors: PriorsConfig = PriorsConfig()
    cams: CamsConfig = CamsConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    saliency: SaliencyConfig = SaliencyConfig()
    affinity: AffinityConfig = AffinityConfig()
    regions: RegionsConfig = RegionsConfig()
    segmentation: SegmentationConfig = SegmentationConfig()
    given: GivenConfig = GivenConfig()
    machine: MachineConfig = MachineConfig()

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Self:
        """The configuration of a run's file. Raises pydantic's ValidationError."""
        return cls.model_validate_json(json.dumps(with_shared(cls, values)[0], default=str), strict=True)

    def with_seed(self, seed: int) -> Self:
        """The same with another seed of the run, and so of all trainings that do not set their own."""
        values = self.model_dump(mode="json")
        for path, shared in shared_keys(type(self)):
            *sections, key = path
            section = reduce(lambda inner, name: inner[name], sections, values)
            if shared == ("seed",) and section[key] == self.seed:
                section[key] = seed
        return self.model_validate_json(json.dumps(values | {"seed": seed}), strict=True)

    def faults(self) -> Iterable[Fault]:
        if len(set(self.seeds)) < len(self.seeds):
            yield Fault("seeds", "numbers of which none is listed twice")
        if self.seeds and self.seed not in self.seeds:
            yield Fault("seeds", f"a list that holds the run's own seed, {self.seed}")
        labels = self.affinity.labels
        if self.saliency.method == "none" and labels.bg_threshold >= labels.fg_threshold:
            must = f"below fg_threshold, which is {labels.fg_threshold}, in a run without saliency"
            yield Fault("affinity.labels.bg_threshold", must)
        if self.segmentation.labels == "ground_truth" and not self.dataset.has_masks:
            yield Fault("segmentation.labels", "pseudo, where the data set has no masks")
        pooled = self.priors.trains_oc_norm and self.oc.network.pools_before_batch_norm
        if pooled and self.priors.optimisation.batch == 1:
            yield Fault("priors.optimisation.batch", f"{SEVERAL}; or set priors.noc.oc_norm to fix")
