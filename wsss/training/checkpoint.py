"""Rolling checkpoints: a killed training goes on from where it was.

They are no rule's output, because Snakemake deletes the outputs of a failed job. So they say themselves
which configuration they belong to, and a lock keeps two trainings (say, the orphan of a killed Snakemake and
its successor) from writing in one place.
"""

import fcntl
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from wsss.errors import UserError
from wsss.files import atomic

#: the newest and the one before: the last good one survives whatever is wrong with the newest
KEPT = 2


class Checkpoints:
    """The checkpoints of one training in a directory of their own.

    digest: of the configuration that the training follows; a checkpoint of another one is refused.
    """

    def __init__(self, directory: str | Path, digest: str) -> None:
        self.directory, self.digest = Path(directory), digest
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock: Any = None

    def lock(self) -> None:
        """Claim the directory until this process ends. Raises UserError when another process has it."""
        lock = open(self.directory / "lock", "a+", encoding="utf-8")  # noqa: SIM115 held until the process ends
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            lock.close()
            raise UserError(
                f"{self.directory}: a training is writing here already (process {holder}). "
                "Wait for it or stop it, then start again."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()} on {os.uname().nodename}")
        lock.flush()
        self._lock = lock

    def unlock(self) -> None:
        """Give the directory back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Write the state after micro-step `step` and drop all but the newest checkpoints."""
        path = self.directory / f"step-{step:08d}.pt"
        with atomic(path) as temporary:
            torch.save({"digest": self.digest, "step": step, **state}, temporary)
        for old in self.paths()[:-KEPT]:
            old.unlink(missing_ok=True)
        return path

    def paths(self) -> list[Path]:
        """The checkpoints that are there, oldest first."""
        return sorted(self.directory.glob("step-*.pt"))

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The newest state, or None when there is none.

        Raises UserError when it belongs to another configuration or cannot be read.
        """
        paths = self.paths()
        if not paths:
            return None
        try:
            state: dict[str, Any] = torch.load(paths[-1], map_location=device, weights_only=True)
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            raise UserError(
                f"{paths[-1]}: cannot be read ({str(error).splitlines()[0]}). Delete it to go on from the one before."
            ) from None
        if state.get("digest") != self.digest:
            raise UserError(
                f"{paths[-1]}: belongs to another configuration (digest {state.get('digest')}, "
                f"this run asks for {self.digest}). Delete {self.directory} to train anew, "
                "or restore the configuration."
            )
        return state

    def clear(self) -> None:
        """Drop everything but the lock: the training has ended and its result is in place."""
        for path in self.directory.iterdir():
            if path.name != "lock":
                path.unlink()
