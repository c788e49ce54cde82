"""The one training loop: every network of the chain is trained by `Trainer.run`.

A training differs by its `Task` (which networks, which losses, in which order they step). All else is the
same for all of them: `MicroStep` shows forward, backward and optimizer step, `Trainer.steps` what follows,
log, checkpoint and validation. A training can only be saved where its optimizers step, because accumulated
gradients are not.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.data import Dataset

from wsss.config import OptimizationConfig
from wsss.data.samples import Batches, collate
from wsss.errors import Preempted, UserError
from wsss.machine import distributed
from wsss.machine.devices import torch_device
from wsss.machine.loading import loading, to_device
from wsss.machine.precision import precision_on
from wsss.machine.signals import StopRequest
from wsss.models.recompute import recompute_blocks
from wsss.progress import LOGGER, Progress
from wsss.training.checkpoint import Checkpoints
from wsss.training.checks import require_steps, require_updates
from wsss.training.failures import diverged, explained
from wsss.training.job import TrainJob
from wsss.training.logbook import LOG, Logbook
from wsss.training.meter import Meter
from wsss.training.micro_step import MicroStep, NotFinite
from wsss.training.selection import Selection
from wsss.training.state import TrainState
from wsss.training.task import Batch, Task

#: rows of the metrics CSV per epoch
ROWS_PER_EPOCH = 10


class Trainer:
    """A training that can be run, saved and resumed.

    samples: a data set whose item (epoch, position) is a pure function of seed, epoch and image. job: its
    directories, and the machine. selection: scores the network after epochs and keeps the best; without one,
    the last is kept. pictures: draws the CAMs of the network after an epoch, and returns the file. device:
    where it trains; None for what this process may use.
    """

    def __init__(
        self,
        task: Task,
        samples: Dataset,
        settings: OptimizationConfig,
        job: TrainJob,
        *,
        selection: Selection | None = None,
        pictures: Callable[[torch.nn.Module, int], Path] | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.task, self.samples, self.job = task, samples, job
        self.selection, self.pictures = selection, pictures
        self.device = device or torch_device(distributed.rank(), threads=job.machine.threads)
        precision = precision_on(self.device, settings.precision)
        self.settings = settings = settings.model_copy(update={"precision": precision})
        self.per_epoch = len(self._batches(epochs=1))
        self.state = TrainState(task, settings, self.per_epoch, self.device)
        self.checkpoints = Checkpoints(job.checkpoints, job.digest)
        self.micro_step = MicroStep(job.name, self.state, settings, self.device, fit=job.machine.fit)
        if job.machine.recompute:
            for trainable in task.trainables.values():
                recompute_blocks(trainable.network)
        self.meter = Meter(settings.batch)
        require_updates(job.name, settings, self.state)
        self.stop = StopRequest()
        self.logbook: Logbook | None = None
        self.saved = time.monotonic()

    def run(self) -> torch.nn.Module:
        """Train to the end and return the network that the task trains, or the best of its epochs.

        Raises Preempted after a signal (a checkpoint is written), UserError when a loss is not finite (the
        last checkpoint stays), when fp16 skipped every optimizer step, when a GPU runs
        out of memory, and when batch norm has a single value per channel.
        """
        with self.stop, explained(self.job.name, self.settings):
            if distributed.rank() == 0:
                self.checkpoints.lock()
            try:
                self._resume()
                self._run()
                require_steps(self.job.name, self.state)
            finally:
                self.checkpoints.unlock()
        if self.selection is not None:
            self.selection.restore(self.state.result)
        return self.state.result

    def steps(self, batches: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, float]]:
        """Train on batches, and yield the loss terms of each: a batch is a micro-step of the training."""
        self.meter.start()
        self._validate()
        for loaded in batches:
            self.meter.data_ready()
            batch = cast(Batch, to_device(loaded, self.device))
            try:
                losses = self.micro_step(batch)
            except NotFinite as error:
                raise self._diverged(str(error), batch["id"]) from None
            self.meter.step_done(losses)
            self._log()
            self._checkpoint_if_due(batch["id"])
            self._validate()
            self._draw()
            yield losses

    def _run(self) -> None:
        first, state = distributed.rank() == 0, self.state
        if left := state.steps % self.settings.accumulate:
            # As published: gradients accumulate across epochs, and what is left at the end is dropped.
            dropped = "%s: the last %d of %d batches make no optimizer step, as accumulate is %d"
            LOGGER.info(dropped, self.job.name, left, state.steps, self.settings.accumulate)
        shown = first and self.job.machine.progress
        options = {
            "batch_sampler": self._batches(self.settings.epochs, start=state.step),
            "pin_memory": self.device.type == "cuda",
        }
        with (
            closing(self._open_logbook()) if first else nullcontext() as self.logbook,
            loading(self.samples, self.job.machine.workers, collate, **options) as batches,
            closing(
                Progress(self.job.name, state.steps, start=state.step, unit="steps", enabled=shown)
            ) as progress,
        ):
            for _ in self.steps(batches):
                progress.update(note=self._note)

    def _log(self) -> None:
        step = self.state.step
        ends_row = step % max(1, self.per_epoch // ROWS_PER_EPOCH) == 0 or step == self.state.steps
        if self.logbook is not None and ends_row:
            values = {**self.state.learning_rates(), **self.meter.row()}
            self.logbook.row(step, {"epoch": step / self.per_epoch, **values})

    def _validate(self) -> None:
        """Score the network where an epoch ends, unless it was scored before an interruption."""
        epoch, inside = divmod(self.state.step, self.per_epoch)
        if self.selection is None or inside or not self.selection.due(epoch, self.settings.epochs):
            return
        with self.state.eval_mode() as network:
            values = self.selection.validate(network, epoch)
        if self.logbook is not None:
            self.logbook.row(self.state.step, {"epoch": epoch, **values})
        self.meter.start()

    def _draw(self) -> None:
        """Draw the CAMs where an epoch ends; the first of several processes does."""
        epoch, inside = divmod(self.state.step, self.per_epoch)
        if self.pictures is None or self.logbook is None or inside:
            return
        with self.state.eval_mode() as network:
            self.logbook.picture(self.state.step, self.pictures(network, epoch))
        self.meter.start()

    def _checkpoint_if_due(self, ids: list[str]) -> None:
        if not self.state.accumulated:
            return
        due = time.monotonic() - self.saved >= 60 * self.job.machine.checkpoint_minutes
        # Clocks differ, and a signal may reach some processes only: all must decide the same.
        asked, due = distributed.anywhere(
            [self.stop.received is not None, due and distributed.rank() == 0], self.device
        )
        if not (asked or due) or not self.state.can_checkpoint:
            return
        if parameter := self.state.not_finite():
            raise self._diverged(f"{parameter} is not finite", ids)
        step, steps = self.state.step, self.state.steps
        if distributed.rank() == 0:
            state = {**self.state.state_dict(), "meter": self.meter.state_dict()}
            if self.selection is not None:
                state["selection"] = self.selection.state_dict()
            self.checkpoints.save(step, state)
        self.saved = time.monotonic()
        if asked and step < steps:
            saved = f"saved step {step}/{steps} in {self.checkpoints.directory}"
            raise Preempted(f"{self.job.name}: stopped by a signal; {saved}. Start it again to resume")

    def _resume(self) -> None:
        state = self.checkpoints.load()
        if state is not None:
            self.state.load_state_dict(state)
            self.meter.load_state_dict(state["meter"])
            if self.selection is not None:
                self.selection.load_state_dict(state["selection"])
            LOGGER.info("%s: resumes at step %d/%d", self.job.name, self.state.step, self.state.steps)

    def _diverged(self, reason: str, ids: list[str]) -> UserError:
        state, images = self.state, distributed.all_names(ids)
        step = f"{state.step} of {state.steps} (epoch {(state.step - 1) // self.per_epoch + 1})"
        return diverged(self.job.name, reason, step, images, self.checkpoints.paths())

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
            self.checkpoints.directory / LOG,
            after=self.state.step,
            curves=self.job.curves,
            machine=self.job.machine,
            name=self.job.name,
            config={"digest": self.job.digest, **self.settings.model_dump()},
        )

    def _note(self) -> str:
        epoch = f"epoch {self.state.step / self.per_epoch:.1f}/{self.settings.epochs}"
        return f"{epoch}, {self.meter.note(self.state.learning_rates())}"
