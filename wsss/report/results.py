"""The metrics files of a run, opened once, checked, and by the stage whose scores they hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from wsss.errors import UserError
from wsss.figures.numbers import Number, Source
from wsss.runs.run import RESULTS, Run, load_run, metrics_files, run_names
from wsss.runs.stages import STAGES
from wsss.store.files import read_csv, read_json


@dataclass(frozen=True)
class Scores:
    """The scores of a stage: the metrics file that holds them, and the keys under which it does."""

    source: Source
    keys: tuple[str, ...] = ()

    @property
    def values(self) -> Mapping[str, Any]:
        """The scores by name."""
        values: Mapping[str, Any] = self.source.values
        for key in self.keys:
            values = values[key]
        return values

    def number(self, *keys: str, digits: int = 1) -> Number:
        """A score, in percent; without a value where the file has none."""
        return self.source.number(*self.keys, *keys, digits=digits)


def scores_in(metrics: Mapping[str, Source]) -> dict[str, Scores]:
    """The scores of every scored stage, in the chain's order. metrics: by the stage that wrote the file."""
    scores = {}
    for name, stage in STAGES.items():
        writer, key = stage.scored_by or name, stage.metrics_key
        if stage.scored_as and writer in metrics and (not key or key in metrics[writer].values):
            scores[name] = Scores(metrics[writer], (key,) if key else ())
    return scores


def read_metrics(run: Run, paths: Iterable[Path]) -> dict[str, Source]:
    """Metrics files by the stage that writes them. Raises UserError for a file that the run does not have."""
    writers = {path.name: stage for stage, path in metrics_files(run).items()}
    metrics = {}
    for path in paths:
        if path.name not in writers:
            known = ", ".join(writers)
            raise UserError(f"{path}: no metrics file of run {run.name}; it has {known}")
        metrics[writers[path.name]] = Source(name_of(path), read_json(path))
    return {stage: metrics[stage] for stage in STAGES if stage in metrics}


@dataclass(frozen=True)
class Results:
    """The metrics of a run. metrics: by the stage that writes the file. chain: the line of each stage.

    trainings: rows of each training's course, by its stage. images: the scores that this report has counted.
    """

    run: Run
    metrics: Mapping[str, Source]
    chain: Source
    trainings: Mapping[str, Source]
    images: Source

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """By scored stage, in the chain's order."""
        return scores_in(self.metrics)

    def miou(self, stage: str, key: str = "miou") -> Number | None:
        """A score of a stage's output, in percent; None where it is not scored."""
        number = self.scores[stage].number(key, digits=2) if stage in self.scores else None
        return number if number is not None and number.value is not None else None


def read_results(
    run: Run, metrics: Iterable[Path], chain: Path, trainings: Iterable[Path], images: Source
) -> Results:
    """Read all files. Raises UserError for one of another configuration, and one of an unknown name."""
    read = read_metrics(run, metrics)
    for stage, source in read.items():
        if source.values["digest"] != run.digest(stage):
            path = run.metrics(stage)
            raise UserError(
                f"{path}: made from another configuration than {run.name} has now. Make it again: "
                f"snakemake --cores all --force {path}"
            )
    courses = {
        path.stem.removesuffix("_training"): Source(name_of(path), read_csv(path)) for path in trainings
    }
    lines = {row["stage"]: row for row in read_csv(chain)}
    return Results(run, read, Source(name_of(chain), lines), courses, images)


def read_bound(run: Run) -> tuple[str, Source | None]:
    """The run that is the upper bound of this one, learning from the data set's masks, and its scores.

    It is called `<run>-supervised`, of this run or of one that it extends. Without scores where it is not
    made yet, or was for another configuration; the name is empty where there is no such run.
    """
    names = run_names()
    for base in reversed(run.lineage):
        if f"{base.name}-supervised" in names and not base.name.endswith("-supervised"):
            bound = load_run(f"{base.name}-supervised")
            path = bound.metrics("masks")
            if bound.name == run.name or bound.digest("index") != run.digest("index"):
                continue
            if path.is_file() and (values := read_json(path))["digest"] == bound.digest("masks"):
                return bound.name, Source(name_of(path), values)
            return bound.name, None
    return "", None


def name_of(path: Path) -> str:
    """A file as the page names it: from the directory of all results on."""
    return path.relative_to(RESULTS).as_posix() if path.is_relative_to(RESULTS) else path.as_posix()
