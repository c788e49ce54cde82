"""Which GPUs a process may use, when no scheduler has said so.

Snakemake counts GPUs but assigns none. So a process claims free ones by lock files before it starts; the
kernel frees them when the process ends, however it ends.
"""

import fcntl
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from wsss.errors import UserError
from wsss.progress import LOGGER, duration

if TYPE_CHECKING:
    import torch

VISIBLE = "CUDA_VISIBLE_DEVICES"
#: seconds between two looks for a free device, and between two lines that say so
LOOK_EVERY, TELL_EVERY = 2.0, 60.0
#: held until the process ends
_held: list[IO[str]] = []


def count_gpus() -> int:
    """How many NVIDIA GPUs the driver of this machine shows; 0 without a driver."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def claim(wanted: int, device: str = "auto", locks: Path | None = None) -> int:
    """Claim GPUs for this process and its children, and make only them visible; wait while others hold them.

    wanted: how many. device: `auto`, `cpu` or `cuda`, as `machine.device`. locks: directory of the lock files.
    Returns how many there are for us: 0 means to compute on the CPU. What a scheduler or the user has put in
    CUDA_VISIBLE_DEVICES is taken as it is. Raises UserError when `cuda` is asked for and there is none.
    """
    if device == "cpu":
        os.environ[VISIBLE] = ""
        return 0
    if VISIBLE in os.environ:
        found = len([name for name in os.environ[VISIBLE].split(",") if name.strip()])
    else:
        total = count_gpus()
        found = min(wanted, total)
        if found:
            os.environ[VISIBLE] = ",".join(map(str, _claim_free(found, total, locks)))
    if device == "cuda" and not found:
        raise UserError("machine.device is cuda, but there is no GPU here; allowed: auto, cpu, or a GPU machine")
    return min(found, wanted)


def torch_device(rank: int = 0, *, threads: int) -> "torch.device":
    """Where process `rank` of a training, or an inference, computes: its own visible GPU, else the CPU.

    threads: how many CPU threads torch may use in this process.
    """
    # Imported here: torch reads CUDA_VISIBLE_DEVICES once, so it must come after `claim`.
    import torch

    torch.set_num_threads(threads)
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", rank % torch.cuda.device_count())
    torch.cuda.set_device(device)
    return device


def _claim_free(wanted: int, total: int, locks: Path | None) -> list[int]:
    directory = locks or Path(tempfile.gettempdir()) / "wsss-gpus"
    directory.mkdir(exist_ok=True)
    directory.chmod(0o1777) if directory.stat().st_uid == os.getuid() else None
    began = told = time.monotonic()
    while True:
        mine: dict[int, IO[str]] = {}
        for number in range(total):
            file = open(directory / str(number), "a+")  # noqa: SIM115 held until the process ends
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                continue
            mine[number] = file
            if len(mine) == wanted:
                _held.extend(mine.values())
                return list(mine)
        # All or nothing: two that each hold half would wait for each other for ever.
        for file in mine.values():
            file.close()
        if time.monotonic() - told > TELL_EVERY:
            told = time.monotonic()
            LOGGER.info("waiting for %d free GPUs of %d, for %s", wanted, total, duration(told - began))
        time.sleep(LOOK_EVERY)
