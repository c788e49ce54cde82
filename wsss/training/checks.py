"""Refuses a training that would update nothing, and warns of one that has probably learned little."""

from collections.abc import Mapping, Sequence, Sized

import numpy as np
import torch

from wsss.config import OptimizationConfig
from wsss.errors import UserError
from wsss.models import Classifier
from wsss.training.state import TrainState

#: fewer optimizer steps get a warning; the smallest recipe of `wsss init` has more in all trainings
FEW_STEPS = 20
#: part of the log that is compared at its start and at its end
PART = 0.2
#: images whose CAMs are compared, and the largest difference, of CAMs in [0, 1], of those that are equal
IMAGES, EQUAL = 8, 0.01


def require_updates(name: str, settings: OptimizationConfig, state: TrainState) -> None:
    """Raise UserError, naming training and key, where the network that is saved would never be updated."""
    batches = f"{state.steps} batches ({settings.epochs} epochs, batch {settings.batch})"
    if not state.optimizer_steps:
        raise UserError(
            f"{name}: optimisation.accumulate is {settings.accumulate}, but the training has {batches}: no "
            f"optimizer step. Set accumulate to at most {state.steps}, or raise epochs"
        )
    ema = settings.ema
    if ema is not None and ema.every > state.optimizer_steps:
        raise UserError(
            f"{name}: optimisation.ema.every is {ema.every}, but the training has only "
            f"{state.optimizer_steps} optimizer steps: no average. Set ema.every to at most that, "
            "raise epochs, or leave ema out"
        )


def require_steps(name: str, state: TrainState) -> None:
    """Raise UserError where the gradient scaler has skipped every optimizer step of a network."""
    for key, optimizer in state.optimizers.items():
        if not optimizer.steps_done:
            raise UserError(
                f"{name}: the {key} was not trained: optimisation.precision is fp16, and all gradients "
                "overflowed, so that every optimizer step was skipped. Set precision to bf16 or float32"
            )


def warnings(state: TrainState, log: Sequence[Mapping[str, str]]) -> list[str]:
    """Signs that a training has learned little. log: the rows of its metrics CSV."""
    found = []
    steps = state.optimizers[state.task.result].steps_done
    if steps < FEW_STEPS:
        found.append(f"only {steps} optimizer steps")
    losses = _losses(log, state.task.falling_terms)
    part = max(1, int(PART * len(losses)))
    first, last = losses[:part].mean(), losses[-part:].mean()
    if len(losses) > 1 and last >= first:
        found.append(f"the loss did not fall (from {first:.4g} to {last:.4g})")
    return found


@torch.no_grad()
def equal_cams(network: Classifier, samples: Sized) -> bool:
    """Whether a CAM network, in evaluation mode, has one CAM for all classes.

    samples: those that it was trained on; a few of them are compared.
    """
    device = next(network.parameters()).device
    for position in range(0, len(samples), max(1, len(samples) // IMAGES)):
        image = samples[0, position]["image"]  # type: ignore[index]
        _, cams = network.forward_cam(image[None].to(device))
        maps = cams[0].relu()
        maps = maps / maps.amax(dim=(1, 2), keepdim=True).clamp_min(1e-5)
        if float((maps.amax(0) - maps.amin(0)).max()) > EQUAL:
            return False
    return network.classifier.out_channels > 1


def _losses(log: Sequence[Mapping[str, str]], terms: Sequence[str]) -> np.ndarray:
    """The sum of these terms in each row that has them, of all terms where none of these was logged."""
    logged = dict.fromkeys(name for row in log for name in row if name.startswith("loss/"))
    names = [name for name in logged if name.removeprefix("loss/") in terms] or list(logged)
    return np.array([sum(float(row[name]) for name in names) for row in log if all(map(row.get, names))])
