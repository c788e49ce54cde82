"""The network that a run is for, as those use it who have photographs of their own."""

from wsss.errors import UserError
from wsss.models import Segmenter
from wsss.runs.run import Run
from wsss.store.networks import Header, load_network


def trained_segmenter(run: Run) -> tuple[Segmenter, Header]:
    """A run's segmentation network, in evaluation mode, and what it is.

    Raises UserError, saying what to do, when it is not made yet or was made from another configuration.
    """
    path = run.output("segmentation")
    if not path.is_file():
        other = f"wsss import-weights FILE --run {run.name} --stage segmentation"
        make = other if run.given("segmentation") else f"snakemake --cores all {path}"
        raise UserError(f"{path}: no such file; to have it: {make}")
    network, about = load_network(path, Segmenter)
    if about.digest != run.digest("segmentation"):
        raise UserError(
            f"{path}: made from another configuration than {run.file} now describes (digest "
            f"{about.digest}; asked for is {run.digest('segmentation')}). "
            f"Make it again: snakemake --cores all --force {path}"
        )
    return network, about
