"""Train C2AM, which tells objects from background by contrast, with hints of the CAMs or without."""

from pathlib import Path

from wsss.runs.step import Step, parser, run_step
from wsss.training.saliency import train_c2am


def main(step: Step) -> None:
    """Train."""
    given = step.arguments
    train_c2am(step, given.index, given.out, given.metrics, cams=given.cams)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the training split")
    arguments.add_argument(
        "--cams", required=True, type=Path, nargs="*", help="all shards of the CAMs, to take hints from"
    )
    arguments.add_argument("--out", required=True, type=Path, help="the trained model")
    arguments.add_argument("--metrics", required=True, type=Path, help="the course of the training, CSV")
    run_step("c2am", main, arguments.parse_args(), devices="gpus")
