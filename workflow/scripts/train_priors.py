"""Train the generator, whose class activation maps (CAMs) are the priors of all later stages."""

from dataclasses import replace

from wsss.inference.shards import open_oc
from wsss.models import Classifier
from wsss.runs.step import Step, parser, run_step
from wsss.training.fit import fit, save_training
from wsss.training.networks import new_network
from wsss.training.pictures import CamPictures
from wsss.training.samples import classifier_samples, labeled_images
from wsss.training.tasks import PRIOR_TASKS


def train_priors(step: Step) -> None:
    """Write the generator and the log of its training and, for `noc.keep_oc`, the OC trained with it."""
    files, section = step.arguments, step.section
    images = labeled_images(step.read_index(files.index), step.run.config.dataset.negatives)
    oc, oc_header = open_oc(step, files.oc, images) if files.oc else (None, None)
    network, header = new_network(Classifier, section, images.classes, step.digest)
    task = PRIOR_TASKS[section.method](network, section, oc)
    samples = classifier_samples(section, images, network)
    pictures = CamPictures(images, step) if step.machine.pictures else None
    trained = fit(step, task, samples, section.optimisation, pictures=pictures)
    models = {files.out: (trained, header)}
    if oc and oc_header and section.method == "pnoc" and section.noc.keep_oc:
        models[files.out.with_stem(f"{files.out.stem}_oc")] = (oc, replace(oc_header, digest=step.digest))
    save_training(step, models, files.metrics)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "oc?", "out", "metrics")
    run_step("priors", train_priors, arguments.parse_args(), devices="gpus")
