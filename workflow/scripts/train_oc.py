"""Train the ordinary classifier (OC), which later judges what the generator erases."""

from pathlib import Path

from wsss.runs.step import Step, parser, run_step
from wsss.training.priors import train_prior


def main(step: Step) -> None:
    """Train."""
    train_prior(step, step.arguments.index, step.arguments.out, step.arguments.metrics)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the training split")
    arguments.add_argument("--out", required=True, type=Path, help="the trained model")
    arguments.add_argument("--metrics", required=True, type=Path, help="the course of the training, CSV")
    run_step("oc", main, arguments.parse_args(), devices="gpus")
