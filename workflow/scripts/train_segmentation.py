"""Train the segmentation network on pseudo labels or, for the upper bound, on the data set's masks."""

from wsss.inference.shards import open_pseudo_labels
from wsss.runs.step import Step, parser, run_step
from wsss.training.fit import fit, save_training
from wsss.training.networks import SEGMENTERS, new_network
from wsss.training.samples import Supervision, segmentation_samples
from wsss.training.selection import Selection
from wsss.training.tasks import SegmentationTask
from wsss.training.validation import Validation


def train_segmentation(step: Step) -> None:
    """Write the network, of the best epoch where there is a val split to select it by, and its log."""
    files, section = step.arguments, step.section
    train = Supervision.of(*open_pseudo_labels(step, files.index, files.labels))
    network, header = new_network(SEGMENTERS[section.network.kind], section, train.index.classes, step.digest)
    selection = None
    if files.val_index is not None:
        val = Supervision.of(*open_pseudo_labels(step, files.val_index, files.val_labels))
        score = Validation(val, section.optimisation.precision, step.machine)
        selection = Selection(score, every=section.evaluate_every)
    task, samples = SegmentationTask(network, section), segmentation_samples(section, train, network)
    trained = fit(step, task, samples, section.optimisation, selection=selection)
    save_training(step, {files.out: (trained, header)}, files.metrics)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "labels*", "val-index?", "val-labels*", "out", "metrics")
    run_step("segmentation", train_segmentation, arguments.parse_args(), devices="gpus")
