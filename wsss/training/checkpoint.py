"""Rolling checkpoints: an interrupted training resumes from the newest.

They are no rule's output, because Snakemake deletes the outputs of a failed job. So each carries the digest
of its configuration, and a lock keeps two trainings (say, the orphan of a killed Snakemake and its successor)
from writing to one directory.
"""

import os
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from wsss.errors import UserError
from wsss.progress import LOGGER
from wsss.store.files import atomic, remove_parts

#: checkpoints in the directory: the newest, and the one before in case the newest is damaged
KEPT = 2


class Checkpoints:
    """The checkpoints of one training in a directory of their own.

    digest: of the configuration of the training; a checkpoint of another one is refused.
    """

    def __init__(self, directory: str | Path, digest: str) -> None:
        self.directory, self.digest = Path(directory), digest
        self.directory.mkdir(parents=True, exist_ok=True)
        # A lock that is a file's existence would outlive a killed training.
        self._lock = FileLock(self.directory / "lock", fallback_to_soft=False)

    def lock(self) -> None:
        """Lock the directory until `unlock` or the end of this process, however it ends.

        Raises UserError when another training holds the lock.
        """
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            holder = Path(self._lock.lock_file).read_text(encoding="utf-8").strip() or "unknown"
            raise UserError(
                f"{self.directory}: another training writes to this directory (process {holder}). "
                "Wait for it or stop it, then start again."
            ) from None
        except OSError as error:
            LOGGER.warning(
                "%s: cannot be locked (%s); do not start a second training there",
                self.directory,
                error.strerror,
            )
        Path(self._lock.lock_file).write_text(f"{os.getpid()} on {os.uname().nodename}", encoding="utf-8")
        remove_parts(self.directory)

    def unlock(self) -> None:
        """Release the lock."""
        self._lock.release()

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Write the state after micro-step `step` and delete all but the newest checkpoints.

        Raises UserError when it cannot be written; earlier checkpoints stay.
        """
        path = self.directory / f"step-{step:08d}.pt"
        try:
            with atomic(path) as temporary:
                torch.save({**state, "digest": self.digest}, temporary)
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"{path}: cannot be written ({_first_line(error)}): is the disk full? The checkpoint before "
                "is kept; free some space, then start again."
            ) from error
        for old in self.paths()[:-KEPT]:
            old.unlink(missing_ok=True)
        return path

    def paths(self) -> list[Path]:
        """The checkpoints in the directory, oldest first."""
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
        except Exception as error:  # other files raise almost any exception
            before = f"resume from {paths[-2].name}" if paths[1:] else "train from the start"
            raise UserError(
                f"{newest}: damaged, or not a checkpoint of this package ({_first_line(error)}). "
                f"Delete it to {before}."
            ) from None
        if digest != self.digest:
            raise UserError(
                f"{newest}: belongs to another configuration (digest {digest}, this run has "
                f"{self.digest}). Delete {self.directory} to train from the start, or undo the change."
            )
        return dict(state)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
