"""Encode the names of the classes, and of the background, as text vectors for CAMs without training."""

from wsss.inference.text_vectors import vectors_of_classes
from wsss.runs.step import Step, parser, run_step
from wsss.store.text import write_text


def encode_text(step: Step) -> None:
    """Write the vectors, from the text tower or from the file that the run names."""
    files = step.arguments
    classes = step.read_index(files.index).classes
    write_text(files.out, vectors_of_classes(step.section, classes), digest=step.digest)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "out")
    run_step("text", encode_text, arguments.parse_args())
