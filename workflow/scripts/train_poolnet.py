"""Train PoolNet on the masks of the dense CRF."""

from pathlib import Path

from wsss.runs.step import Step, parser, run_step
from wsss.training.saliency import train_poolnet


def main(step: Step) -> None:
    """Train."""
    given = step.arguments
    train_poolnet(step, given.index, given.masks, given.out, given.metrics)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the training split")
    arguments.add_argument("--masks", required=True, type=Path, nargs="+", help="all shards of the masks")
    arguments.add_argument("--out", required=True, type=Path, help="the trained model")
    arguments.add_argument("--metrics", required=True, type=Path, help="the course of the training, CSV")
    run_step("poolnet", main, arguments.parse_args(), devices="gpus")
