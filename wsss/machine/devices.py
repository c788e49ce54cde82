"""The GPUs that a process may use where no scheduler assigns them.

Snakemake counts GPUs but assigns none. So a process locks free ones, a file each, before it starts; the
kernel releases the locks when the process ends, however it ends.

Not the package filelock (2026-11-25), which locks checkpoints, downloads and terminals here: it closes its
descriptors on exec and in forked processes, while those that share a training have to keep its GPUs when the
process that started them is killed; and it opens lock files for writing, which kernels refuse for files of
another user in /tmp.
"""

import fcntl
import math
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from wsss.errors import UserError
from wsss.machine.builds import missing_kernels
from wsss.progress import LOGGER, duration

if TYPE_CHECKING:
    import torch

VISIBLE = "CUDA_VISIBLE_DEVICES"
#: seconds between two attempts to lock free GPUs, and between two messages about the wait
LOOK_EVERY, TELL_EVERY = 2.0, 60.0
#: descriptors of the locks that this process holds
_held: set[int] = set()


def _close_held() -> None:
    while _held:
        os.close(_held.pop())


# Data-loading processes outlive a killed training by seconds and must not keep its device.
os.register_at_fork(after_in_child=_close_held)


def count_gpus() -> int:
    """Number of NVIDIA GPUs that the driver of this machine lists; 0 without a driver."""
    return len(gpu_names())


def gpu_names() -> list[str]:
    """Their names, in the driver's order."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [line.partition(": ")[2].partition(" (UUID")[0] or "NVIDIA GPU" for line in lines]


def driver_version() -> str:
    """The version of NVIDIA's driver; empty where there is none."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stdout.strip().splitlines()[0] if said.returncode == 0 and said.stdout.strip() else ""


def claim(wanted: int, device: str = "auto", locks: Path | None = None) -> int:
    """Lock GPUs for this process and its children, and make only them visible; wait while others hold them.

    wanted: number of GPUs; fewer where the machine has fewer. device: `auto`, `cpu` or `cuda`, as
    `machine.device`. locks: directory of the lock files. To be called before anything computes on a GPU.
    Returns the number of GPUs; 0 means to compute on the CPU. CUDA_VISIBLE_DEVICES, where a scheduler or the
    user has set it, decides instead. Raises UserError when `device` is `cuda` and there is no GPU, or none
    that the installed torch can use.
    """
    if device == "cpu":
        os.environ[VISIBLE] = ""
        return 0
    if VISIBLE in os.environ:
        found = _listed(os.environ[VISIBLE])
        # CUDA lets a process use one slice, NCCL none: each process would compute on the same one.
        if found > 1 and wanted > 1 and "MIG-" in os.environ[VISIBLE]:
            raise UserError(
                f"{VISIBLE} lists {found} MIG slices ({os.environ[VISIBLE]}), but a training cannot share "
                "several; set machine.gpus to 1, or use whole GPUs"
            )
    else:
        total = count_gpus()
        found = min(wanted, total)
        if found:
            directory = locks or Path(tempfile.gettempdir()) / "wsss-gpus"
            os.environ[VISIBLE] = ",".join(map(str, _claim_free(found, total, directory)))
            LOGGER.info("computes on GPU %s (of %d)", os.environ[VISIBLE], total)
    if device == "cuda" and not found:
        shown = f" ({VISIBLE} is '{os.environ[VISIBLE]}')" if VISIBLE in os.environ else ""
        raise UserError(
            f"machine.device is cuda, but there is no GPU here{shown}; allowed are auto, cpu, or cuda on a "
            "machine with an NVIDIA GPU and its driver"
        )
    if found and (reason := unusable()):
        if device == "cuda":
            raise UserError(f"machine.device is cuda, but {reason}")
        LOGGER.warning("computes on the CPU, not on a GPU: %s", reason)
        os.environ[VISIBLE] = ""
        found = 0
    return min(found, wanted)


def unusable() -> str:
    """Why the installed torch can't use a GPU that the driver shows, and what to do; empty if it can.

    To be called after a claim: CUDA reads which devices it may use when torch first asks for them.
    """
    import torch

    if torch.version.cuda is None and torch.version.hip is None:
        return f"torch {torch.__version__} is a CPU build; install one for GPUs: make install TORCH=cuda"
    if not torch.cuda.is_available():
        built = f"torch {torch.__version__}, built for CUDA {torch.version.cuda},"
        return f"{built} can't use this machine's driver; update the driver (`wsss doctor` shows both)"
    architectures = torch.cuda.get_arch_list()
    for number in range(torch.cuda.device_count()):
        name, capability = torch.cuda.get_device_name(number), torch.cuda.get_device_capability(number)
        if reason := missing_kernels(name, capability, architectures):
            return reason
    return ""


def torch_device(rank: int = 0, *, threads: int) -> "torch.device":
    """Device of process `rank` of a training, or of an inference: its own visible GPU, else the CPU.

    threads: number of CPU threads for torch in this process.
    """
    # Imported here: torch takes seconds to import, which what only counts GPUs does not need.
    import torch

    torch.set_num_threads(threads)
    # The variable goes first: torch counts devices only once, and may have done so before the claim.
    hidden = VISIBLE in os.environ and not _listed(os.environ[VISIBLE])
    if hidden or not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", rank % torch.cuda.device_count())
    torch.cuda.set_device(device)
    return device


def _listed(visible: str) -> int:
    """Number of devices that CUDA reads from its variable: those before the first invalid one, such as -1."""
    names = [name.strip() for name in visible.split(",")]
    valid = [re.fullmatch(r"\d+|(GPU|MIG)-.+", name) is not None for name in names]
    return [*valid, False].index(False)


def _claim_free(wanted: int, total: int, directory: Path) -> list[int]:
    directory.mkdir(exist_ok=True)
    if directory.stat().st_uid == os.getuid():
        directory.chmod(0o1777)
    began, told = time.monotonic(), -math.inf
    while True:
        mine: dict[int, int] = {}
        for number in range(total):
            lock = _try_lock(directory / str(number))
            if lock is not None:
                mine[number] = lock
            if len(mine) == wanted:
                return list(mine)  # the descriptors stay open, the locks held, until this process ends
        # All or nothing: two that each hold half would wait for each other for ever.
        for lock in mine.values():
            _held.discard(lock)
            os.close(lock)
        if time.monotonic() - told > TELL_EVERY:
            told = time.monotonic()
            waited = duration(told - began)
            LOGGER.info(
                "waiting for %d free GPUs of %d, in use by other processes, for %s", wanted, total, waited
            )
        time.sleep(LOOK_EVERY)


def _try_lock(path: Path) -> int | None:
    """The descriptor of a lock file that this process locks; None if another process holds the lock."""
    try:
        # Not for writing: kernels let nobody open another user's file in /tmp with O_CREAT.
        lock = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        lock = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
        os.fchmod(lock, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    _held.add(lock)
    # The processes that share a training keep its device, should the one that started them be killed.
    os.set_inheritable(lock, True)
    return lock
