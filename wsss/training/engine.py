"""The one training loop: every network of the chain is trained by `train`.

A training differs by its `Task` (which networks, which losses, in which order they step). What is here is
the same for all of them: parameter groups, polynomial decay, accumulation, mixed precision, clipping, moving
average, data parallel processes, checkpoints and exact resume, progress and metrics.

A step is a micro-step: one batch forward and backward. Optimisers step when `accumulate` of them are done,
and only there the training can be saved, because no half-accumulated gradient has to be kept.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, Dataset

from wsss.config import Machine, Optimisation
from wsss.data.samples import Batches
from wsss.errors import Preempted, UserError
from wsss.progress import LOGGER, Progress
from wsss.training import distributed
from wsss.training.checkpoint import Checkpoints
from wsss.training.ema import MovingAverage
from wsss.training.learner import Learner
from wsss.training.logbook import Logbook
from wsss.training.meter import Meter
from wsss.training.signals import LeaveRequest, ignore_in_worker
from wsss.training.task import Batch, Moment, Objective, Task

PRECISION = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
#: rows of the metrics CSV per epoch
ROWS_PER_EPOCH = 10


class Training:
    """A training that can be run, saved and resumed.

    samples: a data set whose item (epoch, position) is a pure function of seed, epoch and image.
    checkpoints: where it keeps itself. name: for messages. device: where it computes.
    """

    def __init__(
        self,
        task: Task,
        samples: Dataset,
        settings: Optimisation,
        *,
        name: str,
        checkpoints: Checkpoints,
        machine: Machine,
        device: torch.device,
    ) -> None:
        self.task, self.settings, self.name = task, settings, name
        self.checkpoints, self.machine, self.device = checkpoints, machine, device
        self.samples = samples
        self.count = len(samples)  # type: ignore[arg-type]
        self.per_epoch = len(self._batches(epochs=1))
        self.steps = self.per_epoch * settings.epochs
        self.step = 0
        self.learners = {
            key: Learner(player, settings, self.steps // settings.accumulate // player.every, device)
            for key, player in task.players.items()
        }
        for network in task.frozen:
            network.to(device)
        self.average = self._moving_average()

    def run(self) -> torch.nn.Module:
        """Train to the end and return the network that the task makes.

        Raises Preempted after a signal (a checkpoint is written), UserError when a loss is not finite (the
        last checkpoint stays).
        """
        if distributed.rank() == 0:
            self.checkpoints.lock()
        self._resume()
        logbook = self._open_logbook()
        try:
            with LeaveRequest() as leave:
                self._loop(leave, logbook)
        finally:
            if logbook is not None:
                logbook.close()
        result = self.average.shadow if self.average else self.learners[self.task.result].network
        return result.eval()

    def _loop(self, leave: LeaveRequest, logbook: Logbook | None) -> None:
        batches = self._batches(self.settings.epochs, start=self.step)
        loader = DataLoader(
            self.samples,
            batch_sampler=batches,
            num_workers=self.machine.workers,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=ignore_in_worker,
            persistent_workers=False,
        )
        shown = self.machine.progress and distributed.rank() == 0
        progress = Progress(self.name, self.steps, start=self.step, unit="steps", enabled=shown)
        meter = Meter(self.settings.batch)
        for learner in self.learners.values():
            learner.network.train()
        saved = time.monotonic()
        for batch in loader:
            meter.data_ready()
            complete = (self.step + 1) % self.settings.accumulate == 0
            self._micro_step(cast(Batch, self._on_device(batch)), complete, meter)
            self.step += 1
            meter.step_done()
            if logbook is not None and self.step % max(1, self.per_epoch // ROWS_PER_EPOCH) == 0:
                logbook.row(self.step, {"epoch": self.step / self.per_epoch, **self._rates(), **meter.row()})
            progress.update(note=f"epoch {self.step / self.per_epoch:.1f}/{self.settings.epochs}, {meter.note()}")
            due = time.monotonic() - saved >= 60 * self.machine.checkpoint_minutes and distributed.rank() == 0
            asked, due = distributed.anywhere([leave.received is not None, due], self.device)
            if complete and (asked or due):
                path = self._save()
                saved = time.monotonic()
                if asked and self.step < self.steps:
                    raise Preempted(f"{self.name}: asked to leave; saved step {self.step}/{self.steps} in {path}")
        progress.close()

    def _micro_step(self, batch: Batch, complete: bool, meter: Meter) -> None:
        # One seed per step and process: dropout then needs no saved generator state to resume exactly.
        torch.manual_seed(hash((self.settings.seed, self.step, distributed.rank())))
        moment = Moment(self.step, self.steps, self.step // self.settings.accumulate)
        objectives = self.task.objectives(batch, moment)
        while True:
            with torch.autocast(
                self.device.type, PRECISION[self.settings.precision], enabled=self.settings.precision != "float32"
            ):
                objective = next(objectives, None)
                if objective is None:
                    break
                total = objective.total
            self._require_finite(objective, total, batch)
            learner = self.learners[objective.player]
            if self.settings.reduction == "mean":
                total = total / self.settings.accumulate
            learner.scaler.scale(total).backward()
            meter.add(objective)
            if complete:
                learner.step()
                if self.average is not None and objective.player == self.task.result:
                    self.average.update(learner.network, learner.taken)

    def _require_finite(self, objective: Objective, total: torch.Tensor, batch: Batch) -> None:
        (bad,) = distributed.anywhere([not bool(torch.isfinite(total))], self.device)
        if bad:
            terms = ", ".join(f"{name} {float(term):.4g}" for name, term in objective.terms.items())
            kept = self.checkpoints.paths()
            raise UserError(
                f"{self.name}: the loss of the {objective.player} is not finite at step {self.step} "
                f"(epoch {self.step // self.per_epoch}): {terms}.\nImages of this step: {', '.join(batch['id'])}.\n"
                f"Last good checkpoint: {kept[-1] if kept else 'none yet'}. "
                "Try a lower lr, max_grad_norm, or precision bf16 or float32."
            )

    def _save(self) -> Path | None:
        for key, learner in self.learners.items():
            for name, parameter in learner.network.named_parameters():
                if not torch.isfinite(parameter).all():
                    raise UserError(
                        f"{self.name}: {name} of the {key} is no longer finite after step {self.step}; "
                        f"not saved, {self.checkpoints.directory} keeps the last good checkpoint."
                    )
        if distributed.rank() != 0:
            return None
        state: dict[str, Any] = {key: learner.state_dict() for key, learner in self.learners.items()}
        average = self.average.state_dict() if self.average else {}
        return self.checkpoints.save(
            self.step, {"learners": state, "task": self.task.state_dict(), "average": average}
        )

    def _resume(self) -> None:
        state = self.checkpoints.load(self.device)
        if state is None:
            return
        self.step = state["step"]
        for key, learner in self.learners.items():
            learner.load_state_dict(state["learners"][key])
        self.task.load_state_dict(state["task"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        LOGGER.info("%s: goes on from step %d/%d", self.name, self.step, self.steps)

    def _batches(self, epochs: int, start: int = 0) -> Batches:
        return Batches(
            self.count,
            self.settings.batch,
            seed=self.settings.seed,
            epochs=epochs,
            start=start,
            rank=distributed.rank(),
            world=distributed.world(),
        )

    def _moving_average(self) -> MovingAverage | None:
        ema = self.settings.ema
        if ema is None:
            return None
        warmup = ema.warmup_epochs * self.per_epoch // self.settings.accumulate
        network = self.learners[self.task.result].network
        return MovingAverage(network, decay=ema.decay, every=ema.every, warmup=warmup)

    def _open_logbook(self) -> Logbook | None:
        if distributed.rank() != 0:
            return None
        config = {"digest": self.checkpoints.digest, **self.settings.model_dump()}
        path = self.checkpoints.directory / "metrics.csv"
        return Logbook(path, after=self.step, machine=self.machine, name=self.name, config=config)

    def _on_device(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: value.to(self.device, non_blocking=True) if isinstance(value, torch.Tensor) else value
            for key, value in batch.items()
        }

    def _rates(self) -> dict[str, float]:
        return {
            f"lr/{key}": max(group["lr"] for group in learner.optimizer.param_groups)
            for key, learner in self.learners.items()
        }
