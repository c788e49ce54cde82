"""The page that shows several runs side by side."""

from collections.abc import Sequence
from itertools import groupby

from wsss.report.compare import Line, Measured, class_lines, setting_differences
from wsss.report.templating import fill
from wsss.runs.stages import STAGES


def render(runs: Sequence[Measured], scored: Sequence[Line]) -> str:
    """The page as HTML. scored: see `stage_lines`. Differences are to the first run."""
    stages = [
        (stage, {line.name: line for line in lines})
        for stage, lines in groupby(scored, lambda line: line.stage)
    ]
    classes = {stage: class_lines(runs, stage) for stage in ("masks", "pseudo_labels", "cams")}
    return fill(
        "compare.html",
        {
            "runs": [run.run for run in runs],
            "stages": stages,
            "uncertain": any(any(line.intervals) for line in scored),
            "classes": {stage: lines for stage, lines in classes.items() if lines},
            "titles": {stage: STAGES[stage].title for stage in STAGES},
            "settings": setting_differences([run.run for run in runs]),
        },
    )
