"""What a run has measured: its metrics files, opened once, checked, and by the stage that they are of."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsss.errors import UserError
from wsss.report.numbers import Number, Source
from wsss.runs.run import RESULTS, Run, load_run, run_names
from wsss.store.files import read_json

#: by the first part of a metrics file's name, the stage whose digest it carries
SCORES = {
    "cams": "cams_metrics",
    "saliency": "saliency_metrics",
    "affinity_labels": "affinity_labels",
    "walks": "walks_metrics",
    "pseudo_labels": "pseudo_labels",
    "masks": "masks",
}
#: by the kind of saliency in its metrics, the stage that makes it
SALIENCY = {"c2am": "c2am_maps", "crf": "saliency_crf", "poolnet": "saliency"}


@dataclass(frozen=True)
class Results:
    """The metrics of a run. scores: by what is scored, such as `cams`. chain: the line of each stage.

    trainings: rows of each training's course, by its stage. images: what this report itself has counted.
    """

    run: Run
    scores: Mapping[str, Source]
    chain: Source
    trainings: Mapping[str, Source]
    images: Source

    def miou(self, stage: str, key: str = "miou") -> Number | None:
        """A score of a stage's output, in percent; None where it is not scored."""
        kinds = self.scores["saliency"].values["kinds"] if "saliency" in self.scores else []
        kind = next((kind for kind in kinds if SALIENCY[kind] == stage), None)
        if kind is not None:
            return self.scores["saliency"].number(kind, key, digits=2)
        found = self.scores[stage].number(key, digits=2) if stage in self.scores else None
        return found if found is not None and found.value is not None else None


def read_results(
    run: Run, metrics: Iterable[Path], chain: Path, trainings: Iterable[Path], images: Source
) -> Results:
    """Read all files. Raises UserError for one of another configuration, and one of an unknown name."""
    scores = {}
    for path in metrics:
        scored, values = path.name.partition(".")[0], read_json(path)
        if scored not in SCORES:
            raise UserError(f"{path}: scores no stage that is known; known are {', '.join(SCORES)}")
        if values["digest"] != run.digest(SCORES[scored]):
            raise UserError(
                f"{path}: made from another configuration than {run.name} has now. Make it again: "
                f"snakemake --cores all --force {path}"
            )
        scores[scored] = Source(name_of(path), values)
    scores = {name: scores[name] for name in SCORES if name in scores}
    courses = {path.stem.removesuffix("_training"): Source(name_of(path), rows(path)) for path in trainings}
    lines = {row["stage"]: row for row in rows(chain)}
    return Results(run, scores, Source(name_of(chain), lines), courses, images)


def read_bound(run: Run) -> tuple[str, Source | None]:
    """The run that is the upper bound of this one, learning from the data set's masks, and its scores.

    It is called `<run>-supervised`, of this run or of one that it extends. Without scores where it is not
    made yet, or was for another configuration; the name is empty where there is no such run.
    """
    names = run_names()
    for base in reversed(run.lineage):
        if f"{base.name}-supervised" in names and not base.name.endswith("-supervised"):
            bound = load_run(f"{base.name}-supervised")
            path = bound.directory("masks") / "metrics" / f"masks.{bound.config.dataset.val}.json"
            if bound.name == run.name or bound.digest("index") != run.digest("index"):
                continue
            if path.is_file() and (values := read_json(path))["digest"] == bound.digest("masks"):
                return bound.name, Source(name_of(path), values)
            return bound.name, None
    return "", None


def name_of(path: Path) -> str:
    """A file as the page names it: from the directory of all results on."""
    return path.relative_to(RESULTS).as_posix() if path.is_relative_to(RESULTS) else path.as_posix()


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV file. Raises UserError when there is none."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            found = list(csv.DictReader(file))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; make it: snakemake --cores all {path}") from None
    if not found:
        raise UserError(f"{path}: no rows; make it again: snakemake --cores all --force {path}")
    return found
