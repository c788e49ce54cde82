"""Show what a run would take of GPUs, by stage: whether it fits, hours, loader cores, disk. Nothing runs."""

import argparse

from wsss.errors import UserError
from wsss.plan.cards import CARDS, card
from wsss.plan.stage_plans import plans
from wsss.plan.table import notes, table
from wsss.runs.run import load_run

HELP = "memory, time and disk of each stage of a run on a GPU, computed and not measured"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, the GPU, and how many."""
    parser.add_argument("name", metavar="RUN", help="name of the run: config/<run>.yaml")
    parser.add_argument("--gpu", choices=CARDS, default="h100", help="kind of GPU (default: h100)")
    parser.add_argument(
        "--gpus", type=int, default=1, help="GPUs of a training, over which shards are spread"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the table and what it rests on."""
    if arguments.gpus < 1:
        raise UserError(f"--gpus {arguments.gpus}: at least 1")
    chosen = card(arguments.gpu)
    print(table(plans(load_run(arguments.name), chosen, arguments.gpus), chosen))
    print(f"\n{notes(chosen, arguments.gpus)}")
    return 0
