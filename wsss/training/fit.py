"""Run a training in its job's directories, and write what it returns."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import nn
from torch.utils.data import Dataset

from wsss.config import OptimizationConfig
from wsss.machine import distributed
from wsss.models import Classifier
from wsss.progress import LOGGER
from wsss.store.files import atomic
from wsss.store.networks import Header, save_model
from wsss.store.retained import retain
from wsss.training.checks import equal_cams, warnings
from wsss.training.job import TrainJob
from wsss.training.logbook import LOG, read_log, record_warning
from wsss.training.selection import Selection
from wsss.training.task import Task
from wsss.training.trainer import Trainer


def fit(
    job: TrainJob,
    task: Task,
    samples: Dataset,
    settings: OptimizationConfig,
    *,
    selection: Selection | None = None,
    pictures: Callable[[nn.Module, int], Path] | None = None,
) -> nn.Module:
    """Train a task to its end, resuming from the job's checkpoints, and return its network.

    For the arguments and errors see `Trainer`. Of several processes that share the training, each calls it.
    Signs that it has learned little are logged, and recorded in column `warning` of the last row of the
    metrics CSV.
    """
    distributed.join()
    trainer = Trainer(task, samples, settings, job, selection=selection, pictures=pictures)
    network = trainer.run()
    if distributed.rank() == 0:
        signs = warnings(trainer.state, read_log(job.checkpoints))
        if isinstance(network, Classifier) and equal_cams(network, samples):  # type: ignore[arg-type]
            signs.append("the CAMs of all classes are equal")
        if signs:
            LOGGER.warning("%s: warning: probably learned little: %s", job.name, "; ".join(signs))
            record_warning(job.checkpoints, "; ".join(signs))
    return network


def save_training(job: TrainJob, models: Mapping[Path, tuple[nn.Module, Header]], metrics: Path) -> None:
    """Write trained networks and the CSV of their training, and remove its checkpoints.

    One process of several does it. models: by file. The models are written last: where they are, all is.
    """
    if distributed.rank() == 0:
        with atomic(metrics) as temporary:
            shutil.copyfile(job.checkpoints / LOG, temporary)
        for path, (network, header) in models.items():
            save_model(path, network, header)
        retain(job.finished, (metrics, *models))
        shutil.rmtree(job.checkpoints)
    distributed.leave()
