"""The parts of the page that are numbers: the chain as a funnel, the classes, the confusion matrix."""

from collections.abc import Mapping
from dataclasses import dataclass

from wsss.figures.numbers import Number, Source
from wsss.report.published import classes_of, figure_of
from wsss.report.results import Results
from wsss.runs.run import Run, chain
from wsss.runs.stages import STAGES


@dataclass(frozen=True)
class StageRow:
    """A stage of the funnel: its scores, in percent, and costs. mean, sd: of mIoU over the run's seeds."""

    stage: str
    title: str
    rule: str
    run: str
    miou: Number | None
    seeds: Number
    mean: Number
    sd: Number
    inside: Number | None
    over: Number | None
    under: Number | None
    published: Number | None
    note: str
    split: str
    protocol: str
    jobs: Number
    seconds: Number
    memory: Number
    device: str


@dataclass(frozen=True)
class ClassRow:
    """A class and its IoU by stage. published: where there is one; bound: of the supervised run."""

    name: str
    value: int
    final: Number
    before: list[Number]
    published: Number | None
    bound: Number | None


def published(run: Run, stage: str) -> tuple[Number | None, str]:
    """The published mIoU of a stage, and its note."""
    figure = figure_of(run, stage)
    if figure is None:
        return None, ""
    return Number(figure.miou, f"published#/{run.owner(stage).name}/{stage}"), figure.note


def funnel(results: Results, devices: Mapping[str, str]) -> list[StageRow]:
    """A row per stage, in the order in which they are made."""
    rows = []
    for stage in chain(results.run):
        line = results.chain.values[stage]
        known, note = published(results.run, stage)
        miou, inside, over, under = (
            results.miou(stage, key) for key in ("miou", "foreground_miou", "fp_rate", "fn_rate")
        )
        rows.append(
            StageRow(
                stage,
                STAGES[stage].title,
                STAGES[stage].rule,
                line["run"],
                miou,
                seeds=results.chain.number(stage, "seeds", digits=0),
                mean=results.chain.number(stage, "mean", digits=2),
                sd=results.chain.number(stage, "sd", digits=2),
                inside=inside,
                over=over,
                under=under,
                published=known,
                note=note,
                split=line["split"],
                protocol=line["protocol"],
                jobs=results.chain.number(stage, "jobs", digits=0),
                seconds=results.chain.number(stage, "seconds", digits=0),
                memory=results.chain.number(stage, "peak_mb", digits=0),
                device=devices.get(stage, ""),
            )
        )
    return rows


def classes(results: Results, bound: Source | None) -> tuple[list[str], list[ClassRow]]:
    """The stages that are shown beside the final masks, and a row per class, background first."""
    whole = [stage for stage in results.scores if STAGES[stage].scored_as in ("score maps", "labels")]
    beside = whole[:-1]
    known, whose = classes_of(results.run), results.run.owner("masks").name
    rows = []
    for value, name in enumerate(results.scores["masks"].values["iou"]):
        rows.append(
            ClassRow(
                name,
                value,
                results.scores["masks"].number("iou", name),
                [results.scores[stage].number("iou", name) for stage in beside],
                Number(known[name], f"published#/{whose}/{name}") if name in known else None,
                bound.number("iou", name) if bound else None,
            )
        )
    return [STAGES[stage].title for stage in beside], rows


def confusion(images: Source) -> list[tuple[str, list[Number]]]:
    """For each class of the masks, background first, the share of its pixels predicted as each class."""
    names = list(images.values["confusion"])
    return [(name, [images.number("confusion", name, other, digits=0) for other in names]) for name in names]
