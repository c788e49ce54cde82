"""What a user can do about errors that networks raise during a training."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from wsss.config import OptimizationConfig
from wsss.errors import UserError
from wsss.machine import distributed

#: torch's words for batch norm that has nothing to normalize over
ONE_VALUE = "Expected more than 1 value per channel when training"


@contextmanager
def explained(name: str, settings: OptimizationConfig) -> Iterator[None]:
    """Raise UserError, with what to change, where a network needs too much memory or too many images."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(f"{name}: {_out_of_memory(settings, error)}") from None
    except ValueError as error:
        if ONE_VALUE not in str(error):
            raise
        raise UserError(f"{name}: {_one_image(settings, distributed.world())}") from None


def diverged(name: str, reason: str, step: str, images: Sequence[str], saved: Sequence[Path]) -> UserError:
    """The error for a loss or a parameter that is not finite. images: of the step. saved: checkpoints."""
    return UserError(
        f"{name}: {reason} at step {step}.\n"
        f"Images of this step: {', '.join(images)}.\n"
        f"Last good checkpoint: {saved[-1] if saved else 'none yet'}.\n"
        "Try a lower lr, max_grad_norm, or precision bf16 or float32."
    )


def _out_of_memory(settings: OptimizationConfig, error: Exception) -> str:
    batch, accumulate = settings.batch, settings.accumulate
    keys = f"optimisation.batch {batch}, accumulate {accumulate}, precision {settings.precision}"
    advice = [] if settings.precision == "bf16" else ["set precision to bf16, where the GPU has it"]
    if batch % 2 == 0:
        halved = f"set batch to {batch // 2} and accumulate to {2 * accumulate}"
        # A sum of twice as many gradients is twice as large, which adaptive optimizers do not notice.
        doubles = settings.reduction == "sum" and settings.optimizer in ("sgd", "momentum")
        adjust = ", halve lr and double weight_decay, as gradients are summed" if doubles else ""
        advice.append(f"{halved}{adjust} (batch norm that learns then sees fewer images)")
    advice.append("use more GPUs (machine.gpus), or a smaller augmentation.crop")
    advice.append("set machine.recompute to true")
    what = str(error).partition(". ")[0]
    notes = "".join(f". {note}" for note in getattr(error, "__notes__", ()))
    plan = "`wsss plan RUN --gpu …` computes which batch fits"
    return f"out of GPU memory with {keys} ({what}). To need less: {'; '.join(advice)}{notes}. {plan}"


def _one_image(settings: OptimizationConfig, processes: int) -> str:
    share = f"{settings.batch // processes} (optimisation.batch {settings.batch}, {processes} processes)"
    return (
        f"batch norm over pooled features needs several images, but each process has {share}. Set "
        "network.norm to fix (and network.head_norm to group), raise batch, or use fewer processes or GPUs"
    )
