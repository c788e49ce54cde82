"""Draw the course of a training: losses, learning rates, speed."""

from pathlib import Path

from wsss.figures.curves import training_curve
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Draw."""
    given = step.arguments
    training_curve(given.out, given.metrics, name=f"{step.run.name}: training of {step.stage}")


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--training", required=True, help="its stage, such as oc")
    arguments.add_argument("--metrics", required=True, type=Path, help="the course of the training, CSV")
    arguments.add_argument("--out", required=True, type=Path, help="the picture, PNG")
    given = arguments.parse_args()
    run_step(given.training, main, given)
