"""From files to files: the training of a CAM network as a stage of a run."""

from dataclasses import replace
from pathlib import Path

from wsss.config import Priors
from wsss.data.stage import read_index
from wsss.inference.shards import require_classes
from wsss.model_file import Header, load_classifier, save_model
from wsss.models import Classifier
from wsss.step import Step
from wsss.training import distributed
from wsss.training.fit import keep
from wsss.training.priors import train_classifier


def train_prior(step: Step, index: Path, out: Path, metrics: Path, *, oc: Path | None = None) -> None:
    """Train what the stage's section describes and write the model and its metrics.

    index: of the training split. out: the model; P-NOC's OC goes beside it, if it is kept. metrics: CSV of
    the training's course. oc: model of the ordinary classifier, for the methods that erase.
    """
    images = read_index(step, index)
    judge, about, kept = None, None, False
    if oc is not None:
        section: Priors = step.section
        adversary = section.noc if section.method == "pnoc" else None
        kept = adversary is not None and adversary.keep_oc
        norm = adversary.oc_norm if adversary else "fix"
        judge, about = load_classifier(oc, norm=norm, freeze=section.network.freeze)
        step.require("oc", about.digest, oc)
        require_classes(images, about.classes, oc)
    trained, judge = train_classifier(
        step.section,
        images,
        name=f"{step.run.name}/{step.stage}",
        checkpoints=step.checkpoints,
        curves=step.curves,
        digest=step.digest,
        machine=step.machine,
        oc=judge,
    )
    network = step.section.network
    header = Header(Classifier.__name__, network.backbone, network.output_stride, images.classes, step.digest)
    if kept and judge is not None and about is not None and distributed.rank() == 0:
        save_model(out.with_stem(f"{out.stem}_oc"), judge, replace(about, digest=step.digest))
    keep(step, trained, header, out, metrics)
