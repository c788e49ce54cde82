"""Show the state of every stage of a run, its finished jobs and their time. Reads only the run's files."""

import argparse
import sys
from shutil import get_terminal_size

from wsss.progress import duration, print_styled
from wsss.report.status import State, states_of
from wsss.runs.run import RESULTS, load_run
from wsss.runs.stages import STAGES

HELP = "state, jobs and time of each stage of a run"
#: state -> its color on a terminal, by Rich's names; any other is a failure
COLORS = {
    "done": "green",
    "running": "blue",
    "begun": "blue",
    "pending": "bright_black",
    "preempted": "yellow",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run."""
    parser.add_argument("name", metavar="RUN", help="name of the run: config/<run>.yaml")


def run(arguments: argparse.Namespace) -> int:
    """Print a line per stage, with its last log line if it runs or failed. 1 if any failed."""
    loaded = load_run(arguments.name)
    states = states_of(loaded)
    for state in states:
        print_styled(_line(state, loaded.name), COLORS.get(state.state, "red"), sys.stdout)
    done = sum(state.state == "done" for state in states)
    result = RESULTS / loaded.name / "val_miou.txt"
    answer = f", mIoU {result.read_text(encoding='utf-8').splitlines()[0]} %" if result.is_file() else ""
    seconds = duration(sum(state.seconds for state in states))
    print(f"{loaded.name}: {done} of {len(states)} stages done in {seconds}{answer}")
    if done < len(states) and not any(state.state == "running" for state in states):
        # The result needs no scores of earlier stages.
        computed = all(state.state == "done" or STAGES[state.stage].kind == "scores" for state in states)
        target = RESULTS / loaded.name / "metrics" / "chain.csv" if computed else result
        print(f"continue with: snakemake --cores all {target}")
    return int(any(state.state in ("failed", "died") for state in states))


def _line(state: State, run: str) -> str:
    took = duration(state.seconds) if state.seconds else ""
    of = f"of run {state.run}" if state.run != run else ""
    line = f"{state.stage:<17}{state.state:<11} {f'{state.done}/{state.jobs}':>7}  {took:>7}  {of}".rstrip()
    note = f"    {state.note}"
    if sys.stdout.isatty():
        note = note[: get_terminal_size().columns]
    return f"{line}\n{note}" if state.note else line
