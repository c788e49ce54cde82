"""What distinguishes one training from another: its networks, its losses, the order in which they step."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

from torch import Tensor, nn


class Batch(TypedDict):
    """Samples of one micro-step, on the device: what every training has, and what some have beside it.

    image: (B, 3, H, W) normalized; id: the images' ids. Priors: label (B, C) in [0, 1]; draw (B,) in [0, 1),
    each image's own random number. C2AM-H: hint (B, 1, H, W) in [0, 1]. PoolNet: mask (B, 1, H, W), 0 or 1;
    where its images differ in size, image and mask are lists of what would be stacked. AffinityNet: label_map
    (B, H/4, W/4), and DeepLabV3+: label_map (B, H, W), of classes or 255.
    """

    image: Tensor
    id: list[str]
    label: NotRequired[Tensor]
    draw: NotRequired[Tensor]
    hint: NotRequired[Tensor]
    mask: NotRequired[Tensor]
    label_map: NotRequired[Tensor]


@dataclass(frozen=True)
class StepInfo:
    """The position of a micro-step in the training.

    step: its number, from 0, of `steps`. optimizer_step: the number of the optimizer step that it belongs to.
    """

    step: int
    steps: int
    optimizer_step: int


@dataclass
class Trainable:
    """A network that is trained.

    fresh: its modules that are trained from scratch. lr_mult: multiplies all its learning rates.
    max_grad_norm: clip the norm of its gradient, or None. every: it is updated in every so many optimizer
    steps.
    """

    network: nn.Module
    fresh: list[nn.Module]
    lr_mult: float = 1.0
    max_grad_norm: float | None = None
    every: int = 1


@dataclass
class Objective:
    """What one trainable network minimizes in one micro-step: the weighted sum of named scalar terms."""

    network: str
    terms: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, term: Tensor, weight: float = 1.0) -> "Objective":
        """Add a term; returns the objective."""
        self.terms[name], self.weights[name] = term, weight
        return self

    @property
    def total(self) -> Tensor:
        """The scalar to minimize."""
        first, *others = (self.weights[name] * term for name, term in self.terms.items())
        return sum(others, first)


class Task(ABC):
    """One training.

    result: names the trainable whose network the training returns. falling_terms: names of the loss terms
    whose sum falls in a training that works; none for all. shares_gradients: the objective of one network
    leaves gradients in another one, which is then updated by them, too. needs_whole_batch: the loss is no
    mean over images, but compares those of a batch.
    """

    trainables: dict[str, Trainable]
    result: str = "generator"
    falling_terms: tuple[str, ...] = ()
    shares_gradients: bool = False
    needs_whole_batch: bool = False

    @property
    def frozen(self) -> list[nn.Module]:
        """Networks that take part and are not trained: the trainer freezes them, in evaluation mode."""
        return []

    @abstractmethod
    def objectives(self, batch: Batch, info: StepInfo) -> Iterator[Objective]:
        """Yield the objective of each trainable network in turn.

        The trainer back-propagates an objective (and steps its optimizer, where the accumulation is complete)
        before it asks for the next one, so what follows a `yield` sees the updated network. Names of terms
        are unique over all objectives.
        """

    def state_dict(self) -> dict:
        """What the task itself keeps between steps, beside its networks."""
        return {}

    def load_state_dict(self, state: dict) -> None:  # noqa: B027 most tasks keep nothing
        """Continue from `state_dict`."""
