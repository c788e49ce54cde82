"""Read and check every image of a split once, and list them with masks and image-level labels."""

from pathlib import Path

from wsss.data.stage import index_split
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Check and list."""
    index_split(step, step.arguments.split, step.arguments.out)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--split", required=True, help="name of the split")
    arguments.add_argument("--out", required=True, type=Path, help="the index, CSV; a JSON is made beside it")
    run_step("index", main, arguments.parse_args())
