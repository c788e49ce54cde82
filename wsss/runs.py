"""A run: its configuration, the stages that it consists of, and which of its files are its parent's.

A stage reads one section of the configuration and the outputs of the stages before it. The digest of both
says what its outputs are: where a run's digest equals that of a run it extends, the files are that run's.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wsss.config import RunConfig
from wsss.config.document import Document, Wrong, read_document
from wsss.config.validation import validate
from wsss.errors import UserError

RESULTS = Path("results")

#: what a run may be called: it names a file, a directory and a wildcard of the workflow
RUN_NAME = "[a-z0-9-]+"


@dataclass(frozen=True)
class Stage:
    """A step of a run: the section that it reads, dotted, and the stages whose outputs it reads."""

    section: str
    before: Callable[[RunConfig], tuple[str, ...]]

    @property
    def model(self) -> TypeAdapter[Any]:
        """The type of the section."""
        section: Any = RunConfig
        for name in self.section.split("."):
            section = section.model_fields[name].rebuild_annotation()
        return TypeAdapter(section)


#: every stage, in an order in which they can be made
STAGES: dict[str, Stage] = {
    "index": Stage("dataset", lambda config: ()),
    "oc": Stage("oc", lambda config: ("index",)),
    "priors": Stage("priors", lambda config: ("index", "oc") if config.priors.uses_oc else ("index",)),
    "cams": Stage("cams", lambda config: ("index", "priors")),
    "cams_metrics": Stage("evaluation", lambda config: ("index", "cams")),
}

#: the stages that a run is for; it has these and all before them
GOALS = ("cams_metrics",)


@dataclass(frozen=True)
class Run:
    """A run and, through `parent`, the runs that it extends. Made by `load_run`."""

    name: str
    config: RunConfig
    parent: "Run | None" = None

    def section(self, stage: str) -> str:
        """The stage's section as sorted JSON, without keys at their default or that nothing reads."""
        values = attrgetter(self._stage(stage).section)(self.config).differences()
        return json.dumps(values, sort_keys=True)

    def digest(self, stage: str) -> str:
        """12 hexadecimal digits that stand for the stage's section and all before it."""
        before = [self.digest(name) for name in self._stage(stage).before(self.config)]
        text = json.dumps([stage, self.section(stage), before])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def owner(self, stage: str) -> "Run":
        """The run in whose directory the stage's outputs lie: the first of `lineage` that makes the same."""
        digest = self.digest(stage)
        return next(run for run in self.lineage if stage in stages(run) and run.digest(stage) == digest)

    def directory(self, stage: str) -> Path:
        """Where the stage's outputs lie."""
        return RESULTS / self.owner(stage).name

    @property
    def lineage(self) -> tuple["Run", ...]:
        """The runs that this one extends, the root first, and itself."""
        return (*(self.parent.lineage if self.parent else ()), self)

    def _stage(self, stage: str) -> Stage:
        if stage not in stages(self):
            run = f"run {self.name} (priors.method: {self.config.priors.method})"
            raise UserError(f"{run} has no stage {stage!r}; it has {', '.join(stages(self))}")
        return STAGES[stage]


def stages(run: Run) -> list[str]:
    """Names of the stages that a run has, in an order in which they can be made."""
    wanted = set(GOALS)
    for name in reversed(STAGES):
        if name in wanted:
            wanted.update(STAGES[name].before(run.config))
    return [name for name in STAGES if name in wanted]


def parse_section(stage: str, text: str) -> Any:
    """The typed section of a stage, from what `Run.section` gave. Raises UserError if the text is no such."""
    if stage not in STAGES:
        raise UserError(f"no stage is called {stage!r}; there are {', '.join(STAGES)}")
    try:
        return STAGES[stage].model.validate_json(text, strict=True)
    except ValidationError as error:
        raise UserError(f"the configuration of stage {stage} is not valid: {text}\n{error}") from None


def run_names(directory: str | Path = "config") -> list[str]:
    """Names of the runs that a directory describes."""
    return sorted(path.stem for path in Path(directory).glob("*.yaml") if re.fullmatch(RUN_NAME, path.stem))


def load_run(name: str, directory: str | Path = "config") -> Run:
    """Read `<directory>/<name>.yaml` and the runs that it extends.

    Raises UserError that lists all faults of a file, each with its line, key, value and what is allowed.
    """
    if not re.fullmatch(RUN_NAME, name):
        raise UserError(f"run {name!r}: a run's name must be of the form {RUN_NAME}")
    if name not in run_names(directory):
        raise UserError(f"{Path(directory) / name}.yaml: no such run; {_runs(directory)}")
    return _load(name, Path(directory), ())[0]


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
