"""Train AffinityNet, which finds the edges between which CAMs may spread."""

from pathlib import Path

from wsss.runs.step import Step, parser, run_step
from wsss.training.affinity import train_affinity


def main(step: Step) -> None:
    """Train."""
    given = step.arguments
    train_affinity(step, given.index, given.labels, given.out, given.metrics)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the training split")
    arguments.add_argument(
        "--labels", required=True, type=Path, nargs="+", help="all shards of the affinity labels"
    )
    arguments.add_argument("--out", required=True, type=Path, help="the trained model")
    arguments.add_argument("--metrics", required=True, type=Path, help="the course of the training, CSV")
    run_step("affinity", main, arguments.parse_args(), devices="gpus")
