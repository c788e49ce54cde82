"""Write the mIoU of a run's masks on the validation split, and the IoU of each class, as text."""

from wsss.report.chain import write_miou
from wsss.runs.step import Step, parser, run_step


def report_miou(step: Step) -> None:
    """Write the text."""
    files = step.arguments
    write_miou(files.out, step.read_metrics(files.metrics))


if __name__ == "__main__":
    arguments = parser(__doc__, "metrics", "out")
    run_step("masks", report_miou, arguments.parse_args())
