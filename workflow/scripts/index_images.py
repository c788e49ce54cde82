"""Read and check every image of a split once, and list them with masks and image-level labels."""

from pathlib import Path

from wsss.data.voc import voc_index
from wsss.progress import LOGGER
from wsss.step import Step, parser, run_step


def main(step: Step) -> None:
    """Check and list."""
    index = voc_index(step.arguments.root, step.arguments.split, digest=step.digest)
    index.write(step.arguments.out)
    LOGGER.info("%s: %d images, %d classes", index.split, len(index), len(index.classes))


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--root", required=True, type=Path, help="root of the data set")
    arguments.add_argument("--split", required=True, help="name of the split")
    arguments.add_argument("--out", required=True, type=Path, help="the index, CSV; a JSON is made beside it")
    run_step("index", main, arguments.parse_args())
