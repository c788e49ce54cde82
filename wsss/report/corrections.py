"""What corrections have changed: the scores of a run beside those of the run that it corrects."""

from dataclasses import dataclass

from wsss.errors import UserError
from wsss.report.compare import Line, measure, stage_lines
from wsss.runs.run import Run
from wsss.runs.stages import STAGES

#: names of images that are shown
SHOWN = 20


@dataclass(frozen=True)
class Corrections:
    """Of a run that was corrected. before: name of the run that it extends. masks: ids of corrected images.

    labels: whether labels were corrected, too. lines: by title, the mIoU of every stage in both runs; none
    where one of them has no scores.
    """

    before: str
    masks: tuple[str, ...]
    labels: bool
    lines: tuple[tuple[str, Line], ...]


def corrections_of(run: Run) -> Corrections | None:
    """The corrections of a run; None of one that has none of its own."""
    parent = run.parent
    if parent is None:
        return None
    ours, theirs = (each.config.segmentation.pseudo.corrections for each in (run, parent))
    maps = ours if ours != theirs else None
    tables = [getattr(each.config.dataset, "labels", None) for each in (run, parent)]
    labels = tables[0] != tables[1] and "corrections" in str(tables[0])
    if maps is None and not labels:
        return None
    names = tuple(sorted(path.stem for path in maps.glob("*.png"))) if maps is not None else ()
    return Corrections(parent.name, names, labels, _lines(parent, run))


def _lines(parent: Run, run: Run) -> tuple[tuple[str, Line], ...]:
    try:
        lines = stage_lines([measure(parent), measure(run)])
    except UserError:  # one of them has no scores, of its present configuration
        return ()
    return tuple(
        (STAGES[line.stage].title, line)
        for line in lines
        if line.name == "mIoU" and any(number and number.shown is not None for number in line.numbers)
    )
