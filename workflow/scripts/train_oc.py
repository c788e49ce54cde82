"""Train the ordinary classifier (OC), which the generator of the CAMs is later trained against."""

from wsss.models import Classifier
from wsss.runs.step import Step, parser, run_step
from wsss.training.fit import fit, save_training
from wsss.training.networks import new_network
from wsss.training.pictures import CamPictures
from wsss.training.samples import classifier_samples, labeled_images
from wsss.training.tasks import Vanilla, vanilla_settings


def train_oc(step: Step) -> None:
    """Write the classifier and the log of its training."""
    files, section = step.arguments, step.section
    images = labeled_images(step.read_index(files.index), step.run.config.dataset.negatives)
    network, header = new_network(Classifier, section, images.classes, step.digest)
    task = Vanilla(network, vanilla_settings(section))
    samples = classifier_samples(section, images, network)
    pictures = CamPictures(images, step) if step.machine.pictures else None
    trained = fit(step, task, samples, section.optimisation, pictures=pictures)
    save_training(step, {files.out: (trained, header)}, files.metrics)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "out", "metrics")
    run_step("oc", train_oc, arguments.parse_args(), devices="gpus")
