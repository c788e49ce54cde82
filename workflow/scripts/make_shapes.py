"""Draw the embedded data set from its seed, in VOC's layout."""

from wsss.data.shapes import write_shapes
from wsss.runs.step import Step, parser, run_step
from wsss.store.files import atomic_directory, write_json


def make_shapes(step: Step) -> None:
    """Write the data set, whole or not at all, and the digest of its section, which its index checks."""
    data = step.section
    with atomic_directory(step.arguments.out) as part:
        write_shapes(part, seed=data.seed, train=data.train_images, val=data.val_images, size=data.size)
        write_json(part / "about.json", {"digest": step.digest})


if __name__ == "__main__":
    arguments = parser(__doc__, "out")
    run_step("index", make_shapes, arguments.parse_args())
