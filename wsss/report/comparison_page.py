"""The page that shows several runs side by side."""

from collections.abc import Sequence
from itertools import groupby

from wsss.report.compare import Measured, class_lines, setting_differences, stage_lines
from wsss.report.templating import fill


def render(runs: Sequence[Measured]) -> str:
    """The page as HTML. The first run is what the others are held against."""
    stages = [
        (stage, {line.name: line for line in lines})
        for stage, lines in groupby(stage_lines(runs), lambda line: line.stage)
    ]
    classes = {stage: class_lines(runs, stage) for stage in ("masks", "pseudo_labels", "cams")}
    return fill(
        "compare.html",
        {
            "runs": [run.run for run in runs],
            "stages": stages,
            "classes": {stage: lines for stage, lines in classes.items() if lines},
            "settings": setting_differences([run.run for run in runs]),
        },
    )
