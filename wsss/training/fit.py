"""A training as a step of a run: where it keeps itself, and what stays of it when it is over."""

import shutil
from collections.abc import Callable
from pathlib import Path

from torch import nn
from torch.utils.data import Dataset

from wsss.config import OptimizationConfig
from wsss.data.index import Index
from wsss.data.samples import with_labels
from wsss.errors import UserError
from wsss.machine import distributed
from wsss.machine.devices import torch_device
from wsss.progress import LOGGER
from wsss.runs.step import Step
from wsss.store.files import atomic
from wsss.store.networks import Header, save_model
from wsss.store.retained import hold
from wsss.training.checkpoint import Checkpoints
from wsss.training.engine import Training
from wsss.training.selection import Selection
from wsss.training.task import Task


def labelled_images(step: Step, images: Index) -> Index:
    """Those of a split that show a class; the others are left out, and counted.

    Raises UserError when there are none.
    """
    labelled, left_out = with_labels(images)
    if left_out:
        LOGGER.info("%s: %d of %d images have no label and are left out", step.name, left_out, len(images))
    if not labelled.records:
        raise UserError(
            f"{step.name}: no image of split {images.split} has a label; training needs some: label images, "
            "or choose another dataset.train"
        )
    return labelled


def fit(
    step: Step,
    task: Task,
    samples: Dataset,
    optimisation: OptimizationConfig,
    *,
    selection: Selection | None = None,
    pictures: Callable[[nn.Module, int], Path] | None = None,
) -> nn.Module:
    """Run a task to its end, from the step's checkpoints if there are any; for errors see `Training.run`.

    selection: chooses among the networks of all epochs; without, it is the last. pictures: draws what the
    network sees after an epoch, and says where.
    """
    training = Training(
        task,
        samples,
        optimisation,
        name=step.name,
        checkpoints=Checkpoints(step.checkpoints, step.digest),
        curves=step.curves,
        machine=step.machine,
        device=torch_device(distributed.rank(), threads=step.machine.threads),
        selection=selection,
        pictures=pictures,
    )
    return training.run()


def keep(step: Step, network: nn.Module, header: Header, out: Path, metrics: Path) -> None:
    """Write the trained network and the course of its training; its checkpoints are then of no more use.

    One process of several does it. The model is written last: where it is, all is.
    """
    if distributed.rank() == 0:
        with atomic(metrics) as temporary:
            shutil.copyfile(step.checkpoints / "metrics.csv", temporary)
        save_model(out, network, header)
        hold(step.finished, (metrics, out))
        shutil.rmtree(step.checkpoints)
    distributed.leave()
