"""Train C2AM, which tells objects from background by contrast, with hints of the CAMs or without."""

from dataclasses import replace

from wsss.inference.shards import open_shards
from wsss.models import C2AM
from wsss.progress import LOGGER
from wsss.runs.step import Step, parser, run_step
from wsss.store.cams import CamShard
from wsss.training.fit import fit, save_training
from wsss.training.networks import new_network
from wsss.training.samples import CamHints, c2am_samples, labeled_images
from wsss.training.tasks import C2amTask


def train_c2am(step: Step) -> None:
    """Write the network and the log of its training."""
    files, section = step.arguments, step.section
    images = labeled_images(step.read_index(files.index), step.run.config.dataset.negatives)
    hints = None
    if step.run.config.saliency.uses_hints:
        hints = CamHints(open_shards(step, "cams", CamShard, files.cams, images))
    network, header = new_network(C2AM, section, images.classes, step.digest)
    task = C2amTask(network, section, hints=hints is not None, negatives=images.negatives)
    trained = fit(step, task, c2am_samples(section, images, network, hints), section.optimisation)
    if task.flip:
        LOGGER.info("%s: negated, as the activation is the background at the borders", step.name)
    save_training(step, {files.out: (trained, replace(header, flip=task.flip))}, files.metrics)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "cams*", "out", "metrics")
    run_step("c2am", train_c2am, arguments.parse_args(), devices="gpus")
