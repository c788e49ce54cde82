"""Compare runs: the scores of every stage and class, and the settings in which the runs differ.

Writes a table (CSV) and a page (HTML), and prints the mIoU of every stage. Differences are to the first run.
"""

import argparse
from pathlib import Path

from wsss.errors import UserError
from wsss.report.compare import measure, setting_differences, stage_lines, table
from wsss.report.comparison_page import render
from wsss.report.seeds import interval_text
from wsss.runs.run import RESULTS, load_run
from wsss.runs.stages import STAGES
from wsss.store.files import write_csv, write_text

HELP = "compare runs in one table and one page"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The runs and the output."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="names of runs: config/<run>.yaml")
    parser.add_argument(
        "--out",
        type=Path,
        help="path of table and page, without suffix; by default results/compare/<run>+<run>…",
    )


def run(arguments: argparse.Namespace) -> int:
    """Compare."""
    names = list(dict.fromkeys(arguments.runs))
    if len(names) < 2:
        raise UserError(f"compare: name at least two different runs, not only {', '.join(arguments.runs)}")
    runs = [measure(load_run(name)) for name in names]
    out = arguments.out or RESULTS / "compare" / "+".join(names)
    page, cells = out.with_name(f"{out.name}.html"), out.with_name(f"{out.name}.csv")
    scores = stage_lines(runs)
    write_csv(cells, table(runs, scores))
    write_text(page, render(runs, scores))
    width = max(map(len, names)) + 2
    print(f"{'mIoU, percent':<18}" + "".join(f"{name:>{width}}" for name in names))
    lines = [line for line in scores if line.name == "mIoU"]
    for line in lines:
        shown = ("-" if number is None else f"{number.shown:.2f}" for number in line.numbers)
        print(f"{STAGES[line.stage].title:<18}" + "".join(f"{text:>{width}}" for text in shown))
        if any(line.spreads):
            print(f"{'  over seeds':<18}" + "".join(f"{text:>{width}}" for text in line.spreads))
    for line in lines:
        for name, number, bounds in zip(names, line.differences, line.intervals, strict=True):
            if number is not None and bounds is not None:
                said = f"{name} - {names[0]}, {STAGES[line.stage].title}"
                print(f"{said}: {number.text}, 95 % interval {interval_text(bounds)}")
    for difference in setting_differences([run.run for run in runs]):
        print(f"{difference.key}: {' | '.join(difference.values)}")
    print(f"{page}\n{cells}")
    return 0
