"""Say how far a run is: what is done, runs, waits or failed, with times, from its files alone."""

import argparse
import sys
from shutil import get_terminal_size

from wsss.progress import duration
from wsss.report.status import State, states_of
from wsss.runs.run import RESULTS, load_run
from wsss.runs.stages import STAGES
from wsss.terminal import coloured

HELP = "how far a run is"
COLOURS = {"done": "green", "running": "blue", "begun": "blue", "pending": "grey", "left": "yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run."""
    parser.add_argument("name", metavar="RUN", help="name of the run: config/<run>.yaml")


def run(arguments: argparse.Namespace) -> int:
    """Print each stage, with its last words if it runs or failed, and one line of all. 1 if any failed."""
    asked = load_run(arguments.name)
    states = states_of(asked)
    for state in states:
        print(_line(state, asked.name))
    done = sum(state.state == "done" for state in states)
    result = RESULTS / asked.name / "val_miou.txt"
    answer = f", mIoU {result.read_text(encoding='utf-8').splitlines()[0]} %" if result.is_file() else ""
    seconds = duration(sum(state.seconds for state in states))
    print(f"{asked.name}: {done} of {len(states)} stages done, {seconds} of work{answer}")
    if done < len(states) and not any(state.state == "running" for state in states):
        # The result needs no scores of earlier stages.
        made = all(state.state == "done" or STAGES[state.stage].kind == "scores" for state in states)
        target = RESULTS / asked.name / "metrics" / "chain.csv" if made else result
        print(f"go on: snakemake --cores all {target}")
    return int(any(state.state in ("failed", "died") for state in states))


def _line(state: State, run: str) -> str:
    word = coloured(f"{state.state:<11}", COLOURS.get(state.state, "red"), sys.stdout)
    jobs = f"{state.done}/{state.jobs}"
    took = duration(state.seconds) if state.seconds else ""
    of = f"of run {state.run}" if state.run != run else ""
    line = f"{state.stage:<17}{word} {jobs:>7}  {took:>7}  {of}".rstrip()
    note = f"    {state.note}"
    if sys.stdout.isatty():
        note = note[: get_terminal_size().columns]
    return f"{line}\n{note}" if state.note else line
