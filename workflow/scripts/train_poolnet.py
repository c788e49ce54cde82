"""Train PoolNet on the masks of the dense CRF."""

from wsss.inference.shards import open_shards
from wsss.models import PoolNet
from wsss.runs.step import Step, parser, run_step
from wsss.store.label_maps import LabelShard
from wsss.training.fit import fit, save_training
from wsss.training.networks import new_network
from wsss.training.samples import poolnet_samples
from wsss.training.tasks import PoolnetTask


def train_poolnet(step: Step) -> None:
    """Write the network and the log of its training; images without labels are used, too."""
    files, section = step.arguments, step.section
    images = step.read_index(files.index)
    shards = open_shards(step, "saliency_crf", LabelShard, files.masks, images)
    network, header = new_network(PoolNet, section, images.classes, step.digest)
    samples = poolnet_samples(section, images, network, shards)
    trained = fit(step, PoolnetTask(network, section), samples, section.optimisation)
    save_training(step, {files.out: (trained, header)}, files.metrics)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "masks+", "out", "metrics")
    run_step("poolnet", train_poolnet, arguments.parse_args(), devices="gpus")
