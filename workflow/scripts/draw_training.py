"""Draw the log of a training: losses, learning rates, speed, over epochs."""

from wsss.figures.plots import training_curve
from wsss.runs.step import Step, parser, run_step


def draw_training(step: Step) -> None:
    """Write the picture."""
    files = step.arguments
    training_curve(files.out, files.metrics, name=f"{step.run.name}: training of {step.stage}")


if __name__ == "__main__":
    arguments = parser(__doc__, "metrics", "out")
    arguments.add_argument("--training", required=True, help="its stage, such as oc")
    words = arguments.parse_args()
    run_step(words.training, draw_training, words)
