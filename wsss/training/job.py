"""The job that a training runs in, as far as a training knows it."""

from pathlib import Path
from typing import Protocol

from wsss.config import MachineConfig


class TrainJob(Protocol):
    """Names, directories and the machine of one training; `wsss.runs.step.Step` has them.

    name: in messages and curves. digest: of the configuration that is trained, in every file. checkpoints:
    directory of the rolling checkpoints. curves: directory of what TensorBoard and W&B show. finished:
    directory in which outputs are retained until the workflow has recorded them. machine: workers, threads,
    progress.
    """

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str: ...

    @property
    def checkpoints(self) -> Path: ...

    @property
    def curves(self) -> Path: ...

    @property
    def finished(self) -> Path: ...

    @property
    def machine(self) -> MachineConfig: ...
