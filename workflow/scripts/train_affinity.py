"""Train AffinityNet, which predicts the class boundaries that random walks of CAMs stop at."""

from wsss.inference.shards import open_shards
from wsss.models import AffinityNet
from wsss.runs.step import Step, parser, run_step
from wsss.store.label_maps import LabelShard
from wsss.training.fit import fit, save_training
from wsss.training.networks import new_network
from wsss.training.samples import affinity_samples, labeled_images
from wsss.training.tasks import AffinityTask


def train_affinity(step: Step) -> None:
    """Write the network and the log of its training."""
    files, section = step.arguments, step.section
    images = labeled_images(step.read_index(files.index))
    shards = open_shards(step, "affinity_labels", LabelShard, files.labels, images)
    network, header = new_network(AffinityNet, section, images.classes, step.digest)
    samples = affinity_samples(section, images, network, shards)
    trained = fit(step, AffinityTask(network, section), samples, section.optimisation)
    save_training(step, {files.out: (trained, header)}, files.metrics)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "labels+", "out", "metrics")
    run_step("affinity", train_affinity, arguments.parse_args(), devices="gpus")
