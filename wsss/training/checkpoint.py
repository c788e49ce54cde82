"""Rolling checkpoints: a killed training goes on from where it was.

They are no rule's output, because Snakemake deletes the outputs of a failed job. So they say themselves
which configuration they belong to, and a lock keeps two trainings (say, the orphan of a killed Snakemake and
its successor) from writing in one place.
"""

import fcntl
import os
from pathlib import Path
from typing import IO, Any

import torch

from wsss.errors import UserError
from wsss.progress import LOGGER
from wsss.store.files import atomic, remove_parts

#: the newest and the one before: the last good one survives whatever is wrong with the newest
KEPT = 2


class Checkpoints:
    """The checkpoints of one training in a directory of their own.

    digest: of the configuration that the training follows; a checkpoint of another one is refused.
    """

    def __init__(self, directory: str | Path, digest: str) -> None:
        self.directory, self.digest = Path(directory), digest
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock: IO[str] | None = None

    def lock(self) -> None:
        """Claim the directory until `unlock` or the end of this process, however it ends.

        Raises UserError when another training has it.
        """
        lock = open(self.directory / "lock", "a+", encoding="utf-8")  # noqa: SIM115 held until the end
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise UserError(
                f"{self.directory}: a training is writing here already (process {holder}). "
                "Wait for it or stop it, then start again."
            ) from None
        except OSError as error:
            LOGGER.warning(
                "%s: cannot be locked (%s); start no second training here", self.directory, error.strerror
            )
        # Data-loading processes outlive a killed training by seconds and must not keep its lock.
        os.register_at_fork(after_in_child=lock.close)
        lock.truncate(0)
        lock.write(f"{os.getpid()} on {os.uname().nodename}")
        lock.flush()
        self._lock = lock
        remove_parts(self.directory)

    def unlock(self) -> None:
        """Give the directory back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Write the state after micro-step `step` and drop all but the newest checkpoints.

        Raises UserError when the disk does not take it; what was there before stays.
        """
        path = self.directory / f"step-{step:08d}.pt"
        try:
            with atomic(path) as temporary:
                torch.save({**state, "digest": self.digest}, temporary)
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"{path}: cannot be written ({_first_line(error)}): is the disk full? What was there before "
                "stays; make room, then start again."
            ) from error
        for old in self.paths()[:-KEPT]:
            old.unlink(missing_ok=True)
        return path

    def paths(self) -> list[Path]:
        """The checkpoints that are there, oldest first."""
        return sorted(self.directory.glob("step-*.pt"))

    def load(self) -> dict[str, Any] | None:
        """The newest state, its tensors on the CPU, or None when there is none.

        Raises UserError when it belongs to another configuration or cannot be read.
        """
        paths = self.paths()
        if not paths:
            return None
        newest = paths[-1]
        try:
            state = torch.load(newest, map_location="cpu", weights_only=True)
            digest = state["digest"]
        except Exception as error:  # bytes that are none of ours raise whatever they like
            before = f" to go on from {paths[-2].name}" if paths[1:] else " to train anew"
            raise UserError(
                f"{newest}: not a whole checkpoint of this package ({_first_line(error)}). Delete it{before}."
            ) from None
        if digest != self.digest:
            raise UserError(
                f"{newest}: belongs to another configuration (digest {digest}, this run asks for "
                f"{self.digest}). Delete {self.directory} to train anew, or restore the configuration."
            )
        return dict(state)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
