"""What is true of a stage of the chain; `wsss.runs.stages` says it of every one."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from wsss.config import GivenConfig, RunConfig, TrainingConfig
from wsss.errors import UserError
from wsss.machine.shares import Shares
from wsss.runs.choices import never


@dataclass(frozen=True)
class Stage:
    """A stage of the chain.

    name: in file names, digests and `wsss status`. rule: that makes it; its script has the same name. title:
    for people. kind: of its outputs. section: of the configuration, dotted. before: the stages whose outputs
    it reads.

    goal: whether a run is made for this stage; all others it has only where they come before such a stage.
    architecture: of a training, the class in `wsss.models`. shards: of maps and labels, the class in
    `wsss.store` that reads them. gpu: whether a shard takes a GPU where there is one. split: the split of the
    data set that a run always makes it of.

    scored_as: how its outputs are scored against masks, see `wsss.report.chain`. scored_by: the stage whose
    metrics hold the scores, itself where it is empty; metrics_key: under which key. picture: the heading of
    its outputs in the report's gallery; of several stages with one heading, the last is shown.
    """

    name: str
    rule: str
    title: str
    kind: Literal["index", "text", "training", "maps", "labels", "scores"]
    section: str
    before: Callable[[RunConfig], tuple[str, ...]]
    goal: Callable[[RunConfig], bool] = never
    architecture: str = ""
    shards: str = ""
    gpu: bool = False
    split: Literal["train", "val"] = "train"
    scored_as: Literal["", "score maps", "saliency", "saliency masks", "labels", "partial labels"] = ""
    scored_by: str = ""
    metrics_key: str = ""
    picture: str = ""

    @property
    def sharded(self) -> bool:
        """Whether its outputs are shards, of which there are `cams.shards`."""
        return self.kind in ("maps", "labels")

    @property
    def importable(self) -> Literal["", "network", "maps"]:
        """What can be imported in its place, under the key `given.<stage>` of the configuration."""
        if self.name not in GivenConfig.model_fields:
            return ""
        return "network" if self.kind == "training" else "maps"

    @property
    def output(self) -> str:
        """Its main output within the run's directory; {split} and {shard} stand for the parts of a name."""
        if self.kind == "index":
            return f"{self.name}/{{split}}.csv"
        if self.kind in ("text", "training"):
            return f"models/{self.name}.safetensors"
        if self.kind == "scores":
            return self.metrics
        return f"{self.name}/{{split}}/{{shard}}" + ("" if self.shards == "LabelShard" else ".safetensors")

    @property
    def metrics(self) -> str:
        """The file of its metrics within the run's directory, or of its training's course; or empty."""
        if self.kind == "training":
            return f"metrics/{self.name}_training.csv"
        if self.kind == "scores":
            return f"metrics/{self.name.removesuffix('_metrics')}.json"
        return f"metrics/{self.name}.{{split}}.json" if self.kind == "labels" else ""

    def shares(self, config: RunConfig) -> Shares:
        """Of a training, how processes divide its batch."""
        section: TrainingConfig = attrgetter(self.section)(config)
        return Shares(section.optimisation.batch, section.images_per_process)

    def nodes(self, config: RunConfig) -> int:
        """Of a training, on how many nodes it runs: `machine.nodes`, or those that can share its batch."""
        machine = config.machine
        return self.shares(config).nodes(
            machine.nodes, machine.processes if machine.device == "cpu" else machine.gpus
        )

    def gpus(self, config: RunConfig) -> int:
        """Of a training, the GPUs that it uses on all its nodes together, where there are GPUs."""
        if config.machine.device == "cpu":
            return 0
        nodes = self.nodes(config)
        return nodes * self.shares(config).processes(config.machine.gpus, nodes=nodes)

    def parse(self, text: str) -> Any:
        """The typed section, from the text of `Run.section`. Raises UserError if it is not valid."""
        section: Any = RunConfig
        for name in self.section.split("."):
            section = section.model_fields[name].rebuild_annotation()
        try:
            return TypeAdapter(section).validate_json(text, strict=True)
        except ValidationError as error:
            raise UserError(
                f"the configuration of stage {self.name} is not valid: {text}\n{error}\n"
                "Start snakemake again."
            ) from None
