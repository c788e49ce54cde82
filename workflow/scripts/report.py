"""Put all that is known of a run into one page: its figures, curves, pictures, settings."""

from pathlib import Path

from wsss.report.stage import Given, make_report
from wsss.runs.step import Step, parser, run_step

#: options that take any number of files, and what these are
MANY = {
    "cams": "shards of the validation split's CAMs, if there are any",
    "saliency": "shards of its saliency, if there are any",
    "affinity_labels": "shards of its affinity labels, if there are any",
    "walks": "shards of its walked CAMs, if there are any",
    "pseudo_labels": "shards of its pseudo labels, if there are any",
    "masks": "all shards of its masks",
    "metrics": "metrics of all that is scored, JSON",
    "trainings": "the courses of all trainings, CSV",
}


def main(step: Step) -> None:
    """Make the page."""
    given = vars(step.arguments)
    files = Given(index=given["index"], chain=given["chain"], **{name: given[name] for name in MANY})
    make_report(step, files, given["out"], given["images"])


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the validation split")
    arguments.add_argument("--chain", required=True, type=Path, help="a line per stage, CSV")
    for name, files in MANY.items():
        option = f"--{name.replace('_', '-')}"
        arguments.add_argument(option, required=True, type=Path, nargs="*", help=files)
    arguments.add_argument("--out", required=True, type=Path, help="the page, HTML")
    arguments.add_argument("--images", required=True, type=Path, help="scores of single images, JSON")
    run_step("masks", main, arguments.parse_args())
