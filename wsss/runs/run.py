"""A run: its configuration, its stages, and which of its files are its parent's.

A stage reads one section of the configuration and the outputs of the stages before it. The digest of both
identifies its outputs: where a run's digest equals that of a run it extends, it uses that run's files.

`<run>/seeds/<n>` is the run with another seed. It extends the run: only what the seed changes is computed.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from wsss.config import RunConfig
from wsss.config.document import Document, Wrong, read_document
from wsss.config.validation import validate
from wsss.errors import UserError
from wsss.runs.stage import Stage
from wsss.runs.stages import STAGES, before

RESULTS = Path("results")

#: pattern of the name of a run that a file describes
RUN_NAME = "[a-z0-9-]+"
#: the same, or of a run with another seed: a directory below `results/`, and a wildcard of the workflow
RUN_OR_SEED = f"{RUN_NAME}(?:/seeds/[0-9]+)?"


@dataclass(frozen=True)
class Run:
    """A run and, through `parent`, the runs that it extends. `load_run` creates it."""

    name: str
    config: RunConfig
    parent: "Run | None" = None

    def section(self, stage: str) -> str:
        """The stage's section as sorted JSON, without keys at their default or that nothing reads.

        Where a network or maps are imported in the stage's place, it is their fingerprint.
        """
        if fingerprint := self.given(stage):
            return json.dumps({"given": fingerprint})
        # From the top: a section may know of keys in its own sections that nothing reads.
        top, *inner = self._stage(stage).section.split(".")
        values = getattr(self.config, top).differences()
        for name in inner:
            values = values.get(name, {})
        return json.dumps(values, sort_keys=True)

    def digest(self, stage: str) -> str:
        """12 hexadecimal digits that identify the stage's section and those of all stages before it."""
        if stage not in self._digests:
            entry, inputs = self._stage(stage), [self.digest(name) for name in before(self.config, stage)]
            # The section of the CAMs holds the number of shards itself.
            counted = entry.section == "cams" and not self.given(stage)
            shards = [self.config.cams.shards] if entry.sharded and not counted else []
            text = json.dumps([stage, self.section(stage), inputs, *shards])
            self._digests[stage] = hashlib.sha256(text.encode()).hexdigest()[:12]
        return self._digests[stage]

    def owner(self, stage: str) -> "Run":
        """The run whose directory holds the stage's outputs: the first of `lineage` with the same digest."""
        digest = self.digest(stage)
        return next(run for run in self.lineage if stage in stages(run) and run.digest(stage) == digest)

    def directory(self, stage: str) -> Path:
        """The directory of the stage's outputs."""
        return RESULTS / self.owner(stage).name

    def output(self, stage: str, split: str = "{split}", shard: str = "{shard}") -> Path:
        """The stage's main output, computed by the run or imported. split, shard: parts of some names."""
        name = STAGES[stage].output.format(split=split, shard=shard)
        if self.given(stage):
            return self.directory(stage) / "given" / name.removeprefix("models/")
        return self.directory(stage) / name

    def metrics(self, stage: str) -> Path:
        """The stage's metrics file, or the CSV of a training; of labels, that of `split`."""
        return self.directory(stage) / STAGES[stage].metrics.format(split=self.split(stage))

    def split(self, stage: str) -> str:
        """The split that the run always makes a stage of."""
        split: str = getattr(self.config.dataset, STAGES[stage].split)
        return split

    def given(self, stage: str) -> str | None:
        """The fingerprint of the network or maps imported in the stage's place, if there are any."""
        fingerprint: str | None = getattr(self.config.given, stage, None)
        return fingerprint

    @property
    def file(self) -> Path:
        """The file that describes the run."""
        return Path("config", f"{self.name.partition('/')[0]}.yaml")

    @cached_property
    def _digests(self) -> dict[str, str]:
        """Those computed so far: the workflow asks for them per job, and a chain has many paths."""
        return {}

    @property
    def lineage(self) -> tuple["Run", ...]:
        """The runs that this one extends, the root first, and itself."""
        return (*(self.parent.lineage if self.parent else ()), self)

    def _stage(self, stage: str) -> Stage:
        if stage not in stages(self):
            saliency = self.config.saliency
            method = f"priors.method: {self.config.priors.method}, saliency.method: {saliency.method}"
            labels = f"segmentation.labels: {self.config.segmentation.labels}"
            labels += "".join(f", {name} imported" for name, given in self.config.given if given)
            masks = "" if self.config.dataset.has_masks else ", a data set without masks"
            run = f"run {self.name} ({method}, saliency.refine: {saliency.refine}, {labels}{masks})"
            raise UserError(f"{run} has no stage {stage!r}; it has {', '.join(stages(self))}")
        return STAGES[stage]


def stages(run: Run) -> list[str]:
    """Names of the stages that a run has, in an order in which they can be made."""
    wanted = {name for name, stage in STAGES.items() if stage.goal(run.config)}
    for name in reversed(STAGES):
        if name in wanted:
            wanted.update(before(run.config, name))
    return [name for name in STAGES if name in wanted]


def chain(run: Run) -> list[str]:
    """The stages of a run without those that only score other stages."""
    return [name for name in stages(run) if STAGES[name].kind != "scores"]


def pictured(run: Run) -> list[str]:
    """The stages that the report's gallery shows: of several with one heading, the last."""
    return list({STAGES[name].picture: name for name in stages(run) if STAGES[name].picture}.values())


def metrics_files(run: Run) -> dict[str, Path]:
    """By the stage that scores, or is scored, the metrics files that a run has.

    Without masks these are only the files of what the run is made for, which say that there are no scores.
    """
    masks = run.config.dataset.has_masks
    scored = [name for name in stages(run) if masks or STAGES[name].goal(run.config)]
    return {name: run.metrics(name) for name in scored if STAGES[name].kind in ("labels", "scores")}


def repeats(run: Run) -> list[Run]:
    """The run with each seed of its `seeds`; the run alone where it has none."""
    seeds = [] if "/" in run.name else run.config.seeds
    return [_with_seed(run, seed) for seed in seeds] or [run]


def run_names(directory: str | Path = "config") -> list[str]:
    """Names of the runs that a directory describes."""
    return sorted(path.stem for path in Path(directory).glob("*.yaml") if re.fullmatch(RUN_NAME, path.stem))


def load_run(name: str, directory: str | Path = "config") -> Run:
    """Read `<directory>/<name>.yaml` and the runs that it extends; of `<name>/seeds/<n>`, with the seed n.

    Raises UserError that lists all faults of a file, each with its line, key, value and what is allowed.
    """
    if not re.fullmatch(RUN_OR_SEED, name):
        raise UserError(f"run {name!r}: a run's name must be of the form {RUN_NAME}, or <run>/seeds/<number>")
    name, _, seed = name.partition("/seeds/")
    if name not in run_names(directory):
        raise UserError(f"{Path(directory) / name}.yaml: no such run; {_runs(directory)}")
    run = _load(name, Path(directory), ())[0]
    return _with_seed(run, int(seed)) if seed else run


def _with_seed(run: Run, seed: int) -> Run:
    if seed == run.config.seed:
        return run
    return Run(f"{run.name}/seeds/{seed}", run.config.with_seed(seed), run)


def _load(name: str, directory: Path, children: tuple[str, ...]) -> tuple[Run, Document]:
    document = read_document(directory / f"{name}.yaml")
    children = (*children, name)
    extends = document.values.get("extends")
    parent = None
    if extends is not None and not isinstance(extends, str):
        document.orphan = True
    elif extends is not None:
        if fault := _fault(extends, directory, children):
            document.wrong.append(Wrong(document.place(("extends",)), f'extends = "{extends}": {fault}'))
            document.orphan = True
        else:
            parent, inherited = _load(extends, directory, children)
            document = document.on_top_of(inherited)
    return Run(name, validate(document), parent), document


def _fault(extends: str, directory: Path, children: tuple[str, ...]) -> str | None:
    """Why a run cannot be extended by the last of `children`, each of which extends the next."""
    if extends in children:
        return f"goes in a circle, {' → '.join((*children, extends))}"
    if extends not in run_names(directory):
        return f"no such run; {_runs(directory)}"
    return None


def _runs(directory: str | Path) -> str:
    return f"{directory} has the runs {', '.join(run_names(directory)) or '(none)'}"
