"""Several runs side by side: what each stage reaches, every class, and the settings in which they differ."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

from wsss.config import Section
from wsss.config.keys import REQUIRED, keys
from wsss.errors import UserError
from wsss.figures.numbers import Number, Source
from wsss.report.provenance import flat
from wsss.report.results import Scores, name_of, scores_in
from wsss.report.seeds import interval, mious_of_seeds
from wsss.runs.run import Run, metrics_files
from wsss.runs.stages import STAGES
from wsss.store.files import read_json

NOT_READ = "not read"
#: what of a stage is compared, and its name in the table
MEASURES = {"miou": "mIoU", "foreground_miou": "foreground mIoU", "fp_rate": "FP", "fn_rate": "FN"}
#: how the stages are scored whose images are counted one by one
COUNTED = ("score maps", "labels", "partial labels")


@dataclass(frozen=True)
class Measured:
    """A run and the scores that it has so far, by the stage that is scored. seeds: see `mious_of_seeds`."""

    run: Run
    scores: dict[str, Scores]
    seeds: dict[str, list[float]] = field(default_factory=dict)

    def number(self, stage: str, *keys: str) -> Number | None:
        """A score of a stage, of its mIoU the mean over the run's seeds; None where it is not measured."""
        if keys == ("miou",) and len(mious := self.seeds.get(stage, [])) > 1:
            return Number(round(mean(mious), 2), f"{self.run.name}/metrics/chain.csv#/{stage}/mean", 2)
        return self.scores[stage].number(*keys, digits=2) if stage in self.scores else None

    def spread(self, stage: str) -> str:
        """The standard deviation of a stage's mIoU over the run's seeds, as `± 0.41`; empty for one seed."""
        mious = self.seeds.get(stage, [])
        return f"± {stdev(mious):.2f}" if len(mious) > 1 else ""

    def classes(self, stage: str) -> list[str]:
        """The classes that a stage is scored on, background first."""
        return list(self.scores[stage].values["iou"]) if stage in self.scores else []


@dataclass(frozen=True)
class Line:
    """A measure of a stage, or the IoU of a class, in each run.

    spreads, intervals: of the mIoU, over the seeds of each run, and of its difference to the first run.
    """

    stage: str
    name: str
    numbers: list[Number | None]
    spreads: list[str] = field(default_factory=list)
    intervals: list[tuple[float, float] | None] = field(default_factory=list)

    @property
    def differences(self) -> list[Number | None]:
        """Of each run to the first."""
        first = self.numbers[0]
        return [number.minus(first) if number and first else None for number in self.numbers]


@dataclass(frozen=True)
class Difference:
    """A key and its value, as JSON, in each run."""

    key: str
    values: list[str]


def measure(run: Run) -> Measured:
    """Read what a run has measured so far. Raises UserError when that is nothing."""
    metrics = {}
    for stage, path in metrics_files(run).items():
        if path.is_file() and (values := read_json(path))["digest"] == run.digest(stage):
            metrics[stage] = Source(name_of(path), values)
    if not metrics:
        raise UserError(
            f"run {run.name}: it has no metrics of its present configuration; make them with "
            f"snakemake --cores all results/{run.name}/val_miou.txt"
        )
    return Measured(run, scores_in(metrics), mious_of_seeds(run) if run.config.seeds else {})


def stage_lines(runs: Sequence[Measured]) -> list[Line]:
    """Per stage that any run has measured, a line per measure."""
    scored = [stage for stage in STAGES if any(stage in run.scores for run in runs)]
    lines = []
    for stage in scored:
        for key, name in MEASURES.items():
            line = Line(stage, name, [run.number(stage, key) for run in runs])
            if key == "miou":
                line.spreads.extend(run.spread(stage) for run in runs)
                line.intervals.extend(_interval(runs[0], run, stage) for run in runs)
            lines.append(line)
    return lines


def _interval(first: Measured, other: Measured, stage: str) -> tuple[float, float] | None:
    classes = first.classes(stage)
    if first is other or STAGES[stage].scored_as not in COUNTED or classes != other.classes(stage):
        return None
    return interval(first.run, other.run, stage, classes)


def class_lines(runs: Sequence[Measured], stage: str) -> list[Line]:
    """Per class of a stage's scores, background first, a line; none where no run has measured it."""
    classes: dict[str, None] = {}
    for run in runs:
        if stage in run.scores:
            classes |= dict.fromkeys(run.scores[stage].values["iou"])
    return [Line(stage, name, [run.number(stage, "iou", name) for run in runs]) for name in classes]


def setting_differences(runs: Sequence[Run]) -> list[Difference]:
    """The keys that a result depends on and in which the runs differ, in the order of the models."""
    read = [flat(dict(_read(run))) for run in runs]
    complete = [flat(run.config.model_dump(mode="json")) for run in runs]
    defaults = {key.name: key.default for key in keys() if key.default is not REQUIRED}
    differences = []
    for name in dict.fromkeys(name for run in read for name in run):
        # A changed value without a difference belongs to a key that the run does not read.
        unread = [
            name not in own and name in all_ and all_[name] != defaults.get(name)
            for own, all_ in zip(read, complete, strict=True)
        ]
        values = [
            NOT_READ if no else json.dumps(own.get(name, defaults.get(name)))
            for own, no in zip(read, unread, strict=True)
        ]
        differences.append(Difference(name, values))
    return [difference for difference in differences if len(set(difference.values)) > 1]


def table(runs: Sequence[Measured], scored: Sequence[Line]) -> list[dict[str, Any]]:
    """All of it as rows of a CSV: scores, then settings; columns per run and per difference to the first.

    scored: see `stage_lines`.
    """
    rows = []
    lines = [*scored, *class_lines(runs, "cams"), *class_lines(runs, "masks")]
    for line in lines:
        row: dict[str, Any] = {"kind": "score", "stage": line.stage, "name": line.name}
        row |= {run.run.name: _cell(number) for run, number in zip(runs, line.numbers, strict=True)}
        for run, number in list(zip(runs, line.differences, strict=True))[1:]:
            row[f"{run.run.name} - {runs[0].run.name}"] = _cell(number)
        rows.append(row)
        rows.extend(_uncertainty(runs, line))
    for difference in setting_differences([run.run for run in runs]):
        row = {"kind": "setting", "stage": "", "name": difference.key}
        rows.append(row | dict(zip((run.run.name for run in runs), difference.values, strict=True)))
    return rows


def _uncertainty(runs: Sequence[Measured], line: Line) -> Iterator[dict[str, Any]]:
    """Lines of the standard deviations over seeds, and of the bounds of the intervals."""
    if any(line.spreads):
        spreads = (spread.removeprefix("± ") for spread in line.spreads)
        yield {"kind": "score", "stage": line.stage, "name": "mIoU sd"} | dict(
            zip((run.run.name for run in runs), spreads, strict=True)
        )
    for bound, name in enumerate(("mIoU low", "mIoU high")):
        if any(line.intervals):
            yield {"kind": "score", "stage": line.stage, "name": name} | {
                f"{run.run.name} - {runs[0].run.name}": f"{interval[bound]:.4f}" if interval else ""
                for run, interval in list(zip(runs, line.intervals, strict=True))[1:]
            }


def _read(run: Run) -> Iterator[tuple[str, Any]]:
    """The sections that a result depends on, without keys at their defaults."""
    for name, section in run.config:
        if isinstance(section, Section) and name != "machine":
            yield name, section.differences()


def _cell(number: Number | None) -> str:
    return "" if number is None or number.shown is None else f"{number.shown:.4f}"
