"""A training of two layers on synthetic images, which tests of the trainer run, in this process or another.

As a command it trains until the end or a signal, and writes the weights:
`python training.py DIRECTORY JSON [DIRECTORY JSON ...]`, the JSON being `build`'s keywords.
"""

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from wsss.config import MachineConfig, OptimizationConfig, PriorsConfig
from wsss.errors import PeerLost, Preempted, UserError
from wsss.machine import distributed
from wsss.models.norm import Freezable, batch_norms
from wsss.training.selection import Selection
from wsss.training.task import Batch, Task
from wsss.training.tasks import PRIOR_TASKS
from wsss.training.trainer import Trainer

SIDE, CLASSES, IMAGES = 32, 3, 12
#: ends a file name of trained weights
RESULT = "result.pt"


class ToyClassifier(Freezable):
    """As small as a CAM network with a batch norm and a dropout can be, at stride 8."""

    def __init__(self, norm: str = "normal", seed: int = 0, dropout: float = 0.1) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 5, stride=4, padding=2),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.AvgPool2d(2),
        )
        self.classifier = nn.Conv2d(6, CLASSES, 1, bias=False)
        if norm == "fix":
            self.freeze(batch_norms(self))

    def forward_cam(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and maps."""
        cam = self.classifier(self.body(x))
        return cam.mean(dim=(2, 3)), cam

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.forward_cam(x)[0]

    def head_modules(self) -> list[nn.Module]:
        """The layer that starts from scratch."""
        return [self.classifier]


class ToyImages(Dataset):
    """Noise in which each class brightens a channel of its own.

    broken: id whose image does not decode. nan: id whose image is not a number. slow: seconds per image.
    """

    def __init__(self, *, broken: str = "", nan: str = "", slow: float = 0.0, count: int = IMAGES) -> None:
        self.broken, self.nan, self.slow, self.count = broken, nan, slow, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, position = key
        id = f"image{position}"
        if id == self.broken:
            raise UserError(f"{id}.jpg: image does not decode")
        time.sleep(self.slow)
        rng = np.random.default_rng([epoch, position])
        label = np.array([1 + position >> c & 1 for c in range(CLASSES)], np.float32)
        image = rng.standard_normal((CLASSES, SIDE, SIDE)).astype(np.float32)
        image[:, 8:24, 8:24] += 2 * label[:, None, None]
        if id == self.nan:
            image[:] = np.nan
        return {
            "image": torch.from_numpy(image),
            "label": torch.from_numpy(label),
            "draw": float(rng.random()),
            "id": id,
        }


def settings(method: str = "pnoc", **blocks: Any) -> PriorsConfig:
    """A section `priors`; `optimisation`, `puzzle`, … override what is set here."""
    optimisation = {"batch": 4, "accumulate": 1, "epochs": 4, "precision": "float32", "lr": 0.05}
    optimisation |= blocks.pop("optimisation", {})
    return PriorsConfig.model_validate(
        {
            "method": method,
            "optimisation": optimisation,
            "augmentation": {"crop": SIDE},
            "network": {"output_stride": 8},
            **blocks,
        }
    )


def machine(**values: Any) -> MachineConfig:
    """A machine without worker processes and progress."""
    return MachineConfig.model_validate({"workers": 0, "progress": False, "threads": 1, **values})


@dataclass(frozen=True)
class Job:
    """A `TrainJob` whose files lie in one directory."""

    directory: Path
    machine: MachineConfig
    digest: str = "d"
    name: str = "toy"

    @property
    def checkpoints(self) -> Path:
        """Directory of the checkpoints."""
        return self.directory / "checkpoints"

    @property
    def curves(self) -> Path:
        """Directory of the curves."""
        return self.directory / "curves"

    @property
    def finished(self) -> Path:
        """Directory of retained outputs."""
        return self.directory / "finished"


def trainer_of(task: Task, optimisation: OptimizationConfig, per_epoch: int) -> Trainer:
    """A trainer of a task, here, to be stepped by `micro_step`; per_epoch: micro-steps of an epoch."""
    samples: Any = range(per_epoch * optimisation.batch)
    return Trainer(task, samples, optimisation, Job(Path(), machine()))


def micro_step(trainer: Trainer, batch: Batch) -> dict[str, float]:
    """One micro-step of a training; returns its loss terms."""
    (losses,) = trainer.steps([batch])  # type: ignore[list-item]
    return losses


def before_each_step(trainer: Trainer, call: Callable[[], None]) -> None:
    """Call this at the beginning of every micro-step."""
    objectives = trainer.task.objectives

    def call_and_step(batch: Batch, info: Any) -> Iterator[Any]:
        call()
        return objectives(batch, info)

    trainer.task.objectives = call_and_step  # type: ignore[method-assign]


def send_stop_signal() -> None:
    """Send what a scheduler sends before it ends a job."""
    os.kill(os.getpid(), signal.SIGTERM)


def in_pieces(start: Callable[[], Trainer]) -> tuple[Trainer, nn.Module]:
    """The last trainer and its network, of a training that is interrupted at every step and resumed.

    start: makes a trainer, which resumes from the checkpoint of the one before.
    """
    pieces = 0
    while True:
        trainer = start()
        before_each_step(trainer, send_stop_signal)
        pieces += 1
        try:
            result = trainer.run()
        except Preempted:
            continue
        assert pieces >= 3
        return trainer, result


def build(
    directory: Path,
    *,
    method: str = "pnoc",
    blocks: dict[str, Any] | None = None,
    machine_keys: dict[str, Any] | None = None,
    norm: str = "normal",
    dropout: float = 0.1,
    digest: str = "d",
    images: dict[str, Any] | None = None,
    selection: Selection | None = None,
) -> Trainer:
    """A training whose checkpoints are in `directory`."""
    section = settings(method, **(blocks or {}))
    oc = ToyClassifier(norm="fix", seed=1, dropout=dropout) if section.uses_oc else None
    generator: Any = ToyClassifier(norm=norm, dropout=dropout)
    task = PRIOR_TASKS[section.method](generator, section, oc)  # type: ignore[arg-type]
    job = Job(directory, machine(**(machine_keys or {})), digest)
    return Trainer(task, ToyImages(**(images or {})), section.optimisation, job, selection=selection)


def weights(trainer: Trainer) -> dict[str, Tensor]:
    """The parameters and buffers of all trained networks, by name."""
    return {
        f"{key}.{name}": value.detach().clone()
        for key, optimizer in trainer.state.optimizers.items()
        for name, value in optimizer.network.state_dict().items()
    }


def train(directory: Path, **keywords: Any) -> int:
    """Train and write the weights of each process; the exit status a script would have."""
    try:
        trainer = build(directory, **keywords)
        trainer.run()
        torch.save(weights(trainer), directory / f"{distributed.rank()}-{RESULT}")
        return 0
    except (UserError, Preempted, PeerLost) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.EXIT_STATUS


def start(directory: Path, **keywords: Any) -> BaseProcess:
    """Train in a process of its own, which leads a group and starts at once, as it is forked.

    What it says goes to the file `said` of the directory.
    """

    def work() -> None:
        os.setpgid(0, 0)
        with open(directory / "said", "a", encoding="utf-8", buffering=1) as sys.stderr:
            sys.exit(train(directory, **keywords))

    directory.mkdir(parents=True, exist_ok=True)
    process = get_context("fork").Process(target=work)
    process.start()
    return process


def wait_for(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What `what` gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)
    return found


def newest_step(directory: Path) -> int:
    """The step of the newest checkpoint of a toy training, 0 before the first."""
    return max((int(path.stem[5:]) for path in directory.glob("checkpoints/step-*.pt")), default=0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO)
    distributed.join()
    asked = zip(sys.argv[1::2], sys.argv[2::2], strict=True)
    ended = [train(Path(directory), **json.loads(keywords)) for directory, keywords in asked]
    distributed.leave()
    sys.exit(max(ended))
