"""The one training loop: every network of the chain is trained by `Training.run`.

A training differs by its `Task` (which networks, which losses, in which order they step). What is here is
the same for all of them: data, checkpoints and exact resume, signals, progress and metrics. How weights
change is `Learning`.

A training can only be saved where its optimisers step, because no half-accumulated gradient is kept.
"""

import multiprocessing
import time
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, Dataset

from wsss.config import MachineConfig, OptimizationConfig
from wsss.data.samples import Batches, collate
from wsss.errors import Preempted, UserError
from wsss.machine import distributed
from wsss.machine.signals import LeaveRequest, outlive_signals, started
from wsss.progress import LOGGER, Progress
from wsss.training.checkpoint import Checkpoints
from wsss.training.learning import Learning, NotFinite
from wsss.training.logbook import Logbook
from wsss.training.meter import Meter
from wsss.training.selection import Selection
from wsss.training.task import Batch, Task

#: rows of the metrics CSV per epoch
ROWS_PER_EPOCH = 10


class Training:
    """A training that can be run, saved and resumed.

    samples: a data set whose item (epoch, position) is a pure function of seed, epoch and image.
    checkpoints: where it keeps itself, and the CSV of its course. curves: directory of what TensorBoard and
    W&B show. name: for messages. device: where it computes. selection: looks at the network after epochs, and
    keeps the best; without one, the last is kept. pictures: draws what the network sees after an epoch, and
    returns where.
    """

    def __init__(
        self,
        task: Task,
        samples: Dataset,
        settings: OptimizationConfig,
        *,
        name: str,
        checkpoints: Checkpoints,
        curves: Path,
        machine: MachineConfig,
        device: torch.device,
        selection: Selection | None = None,
        pictures: Callable[[torch.nn.Module, int], Path] | None = None,
    ) -> None:
        self.selection, self.pictures = selection, pictures
        self.samples, self.settings, self.name = samples, settings, name
        self.checkpoints, self.curves, self.machine, self.device = checkpoints, curves, machine, device
        self.per_epoch = len(self._batches(epochs=1))
        self.learning = Learning(task, settings, self.per_epoch, device)
        self.meter = Meter(settings.batch)
        self.saved = time.monotonic()

    def run(self) -> torch.nn.Module:
        """Train to the end and return the network that the task makes, or the best of its epochs.

        Raises Preempted after a signal (a checkpoint is written), UserError when a loss is not finite (the
        last checkpoint stays).
        """
        with LeaveRequest() as leave:
            if distributed.rank() == 0:
                self.checkpoints.lock()
            try:
                self._resume()
                self._loop(leave)
            finally:
                self.checkpoints.unlock()
        if self.selection is not None:
            self.selection.restore(self.learning.result)
        return self.learning.result

    def _loop(self, leave: LeaveRequest) -> None:
        first = distributed.rank() == 0
        shown = first and self.machine.progress
        done, steps = self.learning.step, self.learning.steps
        logbook = self._open_logbook() if first else None
        progress = Progress(self.name, steps, start=done, unit="steps", enabled=shown)
        # Where an exception keeps the loader alive, its processes wait for this to let themselves be ended.
        over = multiprocessing.Event()
        self.meter.start()
        try:
            self._look(logbook)
            for batch in started(self._loader(over)):
                self.meter.data_ready()
                try:
                    self._step(batch, logbook)
                    self._save_if_due(leave)
                except NotFinite as error:
                    raise self._stopped(error, batch["id"]) from None
                progress.update(note=self._note)
                self._look(logbook)
                self._draw(logbook)
        finally:
            over.set()
            progress.close()
            if logbook is not None:
                logbook.close()

    def _step(self, batch: Mapping[str, Any], logbook: Logbook | None) -> None:
        on_device = {key: self._on_device(value) for key, value in batch.items()}
        self.meter.step_done(self.learning.micro_step(cast(Batch, on_device)))
        step = self.learning.step
        ends_row = step % max(1, self.per_epoch // ROWS_PER_EPOCH) == 0 or step == self.learning.steps
        if logbook is not None and ends_row:
            logbook.row(step, {"epoch": step / self.per_epoch, **self.learning.rates(), **self.meter.row()})

    def _on_device(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.to(self.device, non_blocking=True)
        return [self._on_device(item) for item in value] if isinstance(value, list) else value

    def _look(self, logbook: Logbook | None) -> None:
        """Let the selection look at the network where an epoch ends, unless it has before an interruption."""
        epoch, inside = divmod(self.learning.step, self.per_epoch)
        if self.selection is None or inside or not self.selection.due(epoch, self.settings.epochs):
            return
        with self.learning.resting() as network:
            values = self.selection.look(network, epoch)
        if logbook is not None:
            logbook.row(self.learning.step, {"epoch": epoch, **values})
        self.meter.start()

    def _draw(self, logbook: Logbook | None) -> None:
        """Draw what the network sees where an epoch ends; the first of several processes does."""
        epoch, inside = divmod(self.learning.step, self.per_epoch)
        if self.pictures is None or logbook is None or inside:
            return
        with self.learning.resting() as network:
            logbook.picture(self.learning.step, self.pictures(network, epoch))
        self.meter.start()

    def _save_if_due(self, leave: LeaveRequest) -> None:
        if not self.learning.complete:
            return
        due = time.monotonic() - self.saved >= 60 * self.machine.checkpoint_minutes
        # Clocks differ, and a signal may reach some processes only: all must decide the same.
        asked, due = distributed.anywhere(
            [leave.received is not None, due and distributed.rank() == 0], self.device
        )
        if not (asked or due) or not self.learning.at_rest:
            return
        self.learning.require_finite()
        step, steps = self.learning.step, self.learning.steps
        if distributed.rank() == 0:
            state = {**self.learning.state_dict(), "meter": self.meter.state_dict()}
            if self.selection is not None:
                state["selection"] = self.selection.state_dict()
            self.checkpoints.save(step, state)
        self.saved = time.monotonic()
        if asked and step < steps:
            where = self.checkpoints.directory
            saved = f"saved step {step}/{steps} in {where}"
            raise Preempted(f"{self.name}: asked to leave; {saved}. Started again, it goes on from there")

    def _resume(self) -> None:
        state = self.checkpoints.load()
        if state is not None:
            self.learning.load_state_dict(state)
            self.meter.load_state_dict(state["meter"])
            if self.selection is not None:
                self.selection.load_state_dict(state["selection"])
            LOGGER.info("%s: goes on from step %d/%d", self.name, self.learning.step, self.learning.steps)

    def _stopped(self, error: NotFinite, ids: list[str]) -> UserError:
        step, images = self.learning.step, distributed.all_names(ids)
        kept = self.checkpoints.paths()
        return UserError(
            f"{self.name}: {error} at step {step} of {self.learning.steps} "
            f"(epoch {(step - 1) // self.per_epoch + 1}).\n"
            f"Images of this step: {', '.join(images)}.\n"
            f"Last good checkpoint: {kept[-1] if kept else 'none yet'}.\n"
            "Try a lower lr, max_grad_norm, or precision bf16 or float32."
        )

    def _loader(self, over: Event) -> DataLoader:
        return DataLoader(
            self.samples,
            batch_sampler=self._batches(self.settings.epochs, start=self.learning.step),
            num_workers=self.machine.workers,
            collate_fn=collate,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=partial(outlive_signals, over),
        )

    def _batches(self, epochs: int, start: int = 0) -> Batches:
        return Batches(
            len(self.samples),  # type: ignore[arg-type]
            self.settings.batch,
            seed=self.settings.seed,
            epochs=epochs,
            start=start,
            rank=distributed.rank(),
            world=distributed.world(),
        )

    def _open_logbook(self) -> Logbook:
        return Logbook(
            self.checkpoints.directory / "metrics.csv",
            after=self.learning.step,
            curves=self.curves,
            machine=self.machine,
            name=self.name,
            config={"digest": self.checkpoints.digest, **self.settings.model_dump()},
        )

    def _note(self) -> str:
        epoch = f"epoch {self.learning.step / self.per_epoch:.1f}/{self.settings.epochs}"
        return f"{epoch}, {self.meter.note(self.learning.rates())}"
