"""The log of a training: always a CSV, Weights & Biases and TensorBoard if configured."""

import csv
import importlib
from pathlib import Path
from typing import Any

import numpy as np

from wsss.config import MachineConfig
from wsss.data.images import read_image
from wsss.errors import UserError
from wsss.store.files import columns_of, write_csv

#: the CSV among a training's checkpoints
LOG = "metrics.csv"


class Logbook:
    """Appends one row of numbers per step.

    path: the CSV. after: rows of later steps are dropped, because a resumed training writes them again.
    curves: directory of TensorBoard and W&B. name, config: of the run in W&B.
    """

    def __init__(
        self,
        path: Path,
        *,
        after: int,
        curves: Path,
        machine: MachineConfig,
        name: str,
        config: dict[str, Any],
    ) -> None:
        self.path = path
        self.columns: list[str] = []
        self.newest: int | None
        kept = [row for row in _read(self.path) if int(row["step"]) <= after]
        self.newest = int(kept[-1]["step"]) if kept else None
        self._write(kept)
        self.wandb = None if machine.wandb == "disabled" else _open_wandb(machine, curves, name, config)
        self.tensorboard = _open_tensorboard(curves, after) if machine.tensorboard else None

    def row(self, step: int, values: dict[str, float]) -> None:
        """Record values of a micro-step, in its row if it has one.

        A new name adds a column.
        """
        row = {"step": str(step), **{name: f"{value:.6g}" for name, value in values.items()}}
        rows = _read(self.path) if step == self.newest else []
        if rows:
            logged = {name: value for name, value in rows[-1].items() if value}
            self._write([*rows[:-1], {**logged, **row}])
        elif set(row) <= set(self.columns):
            with open(self.path, "a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self.columns).writerow(row)
        else:
            self._write([*_read(self.path), row])
        self.newest = step
        if self.wandb is not None:
            self.wandb.log(values, step=step)
        if self.tensorboard is not None:
            for name, value in values.items():
                self.tensorboard.add_scalar(name, value, step)

    def picture(self, step: int, path: Path) -> None:
        """Log a picture to W&B and TensorBoard, where they are enabled. path: its PNG."""
        if self.wandb is not None:
            self.wandb.log({"pictures": importlib.import_module("wandb").Image(str(path))}, step=step)
        if self.tensorboard is not None:
            self.tensorboard.add_image("pictures", np.asarray(read_image(path)), step, dataformats="HWC")

    def close(self) -> None:
        """Flush W&B and TensorBoard."""
        if self.wandb is not None:
            self.wandb.finish()
        if self.tensorboard is not None:
            self.tensorboard.close()

    def _write(self, rows: list[dict[str, str]]) -> None:
        self.columns = columns_of(rows)
        write_csv(self.path, rows)


def read_log(directory: Path) -> list[dict[str, str]]:
    """The rows of a training's CSV. directory: of its checkpoints."""
    return _read(directory / LOG)


def record_warning(directory: Path, text: str) -> None:
    """Write a warning into column `warning` of the last row of a training's CSV."""
    rows = read_log(directory)
    write_csv(directory / LOG, [*rows[:-1], {**rows[-1], "warning": text}])


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        # A last line that a crash cut off has too few fields.
        return [row for row in csv.DictReader(file) if None not in row.values()]


def _open_wandb(machine: MachineConfig, directory: Path, name: str, config: dict[str, Any]) -> Any:
    wandb = _optional("wandb", "machine.wandb")
    directory.mkdir(parents=True, exist_ok=True)
    try:
        return wandb.init(
            project=machine.wandb_project,
            mode=machine.wandb,
            name=name,
            config=config,
            dir=str(directory),
            id=f"{config['digest']}-{name.replace('/', '-')}",
            resume="allow",
        )
    except wandb.Error as error:
        raise UserError(
            f"machine.wandb is {machine.wandb}, but W&B reports: {error}. Run `wandb login`, or set "
            "it to offline or disabled"
        ) from None


def _open_tensorboard(directory: Path, after: int) -> Any:
    module = _optional("torch.utils.tensorboard", "machine.tensorboard", extra="tensorboard")
    # A resumed training logs the steps after its checkpoint again.
    return module.SummaryWriter(str(directory), purge_step=after + 1)


def _optional(module: str, key: str, *, extra: str | None = None) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        package = extra or module
        raise UserError(
            f"{key} needs {package}, which is not installed: pip install 'wsss[{package}]'"
        ) from None
