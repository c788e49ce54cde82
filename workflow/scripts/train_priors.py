"""Train the generator, whose class activation maps (CAMs) are the priors of all later stages."""

from pathlib import Path

from wsss.runs.step import Step, parser, run_step
from wsss.training.priors import train_prior


def main(step: Step) -> None:
    """Train."""
    given = step.arguments
    train_prior(step, given.index, given.out, given.metrics, oc=given.oc)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the training split")
    arguments.add_argument("--oc", type=Path, nargs="?", help="the ordinary classifier, to erase by")
    arguments.add_argument("--out", required=True, type=Path, help="the trained model")
    arguments.add_argument("--metrics", required=True, type=Path, help="the course of the training, CSV")
    run_step("priors", main, arguments.parse_args(), devices="gpus")
