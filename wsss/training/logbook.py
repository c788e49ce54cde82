"""The course of a training: a CSV always, Weights & Biases and TensorBoard when asked."""

import csv
import importlib
from pathlib import Path
from typing import Any

from wsss.config import Machine
from wsss.errors import UserError


class Logbook:
    """Appends one row of numbers per call; the first row fixes the columns.

    path: the CSV. after: rows of later steps are dropped, because a resumed training writes them again.
    """

    def __init__(self, path: Path, *, after: int, machine: Machine, name: str, config: dict[str, Any]) -> None:
        self.path = path
        self._keep_rows(after)
        self.wandb = self._open_wandb(machine, name, config) if machine.wandb != "disabled" else None
        self.tensorboard = self._open_tensorboard() if machine.tensorboard else None

    def row(self, step: int, values: dict[str, float]) -> None:
        """Record the values at a micro-step."""
        new = not self.path.exists()
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", *values])
            writer.writerow([step, *(f"{value:.6g}" for value in values.values())])
        if self.wandb is not None:
            self.wandb.log(values, step=step)
        if self.tensorboard is not None:
            for key, value in values.items():
                self.tensorboard.add_scalar(key, value, step)

    def close(self) -> None:
        """Send what is pending."""
        if self.wandb is not None:
            self.wandb.finish()
        if self.tensorboard is not None:
            self.tensorboard.close()

    def _keep_rows(self, after: int) -> None:
        if not self.path.exists():
            return
        header, *rows = self.path.read_text(encoding="utf-8").splitlines() or [""]
        kept = [row for row in rows if row.partition(",")[0].isdigit() and int(row.partition(",")[0]) <= after]
        if kept:
            self.path.write_text("\n".join([header, *kept]) + "\n", encoding="utf-8")
        else:
            self.path.unlink()

    def _open_wandb(self, machine: Machine, name: str, config: dict[str, Any]) -> Any:
        wandb = _optional("wandb", "machine.wandb")
        return wandb.init(
            project=machine.wandb_project,
            mode=machine.wandb,
            name=name,
            config=config,
            dir=str(self.path.parent),
            id=str(config["digest"]) + "-" + name.replace("/", "-"),
            resume="allow",
        )

    def _open_tensorboard(self) -> Any:
        module = _optional("torch.utils.tensorboard", "machine.tensorboard", package="tensorboard")
        return module.SummaryWriter(str(self.path.parent / "tensorboard"))


def _optional(module: str, key: str, package: str | None = None) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        extra = package or module
        raise UserError(f"{key} asks for {extra}, which is not installed: pip install 'wsss[{extra}]'") from None
