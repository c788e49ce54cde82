"""What the trainings of the priors share: one forward pass, and two terms to add to its objective.

A method is a class that says which terms its generator minimizes; P-NOC adds a second network.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from wsss import losses
from wsss.config import PriorsConfig
from wsss.machine import distributed
from wsss.models import Classifier
from wsss.training.erasure import ErasureChoice
from wsss.training.task import Batch, Objective, StepInfo, Task, Trainable


@dataclass
class Forward:
    """A batch, and the forward pass of the generator.

    images (B, 3, S, S); labels (B, C); targets: smoothed labels; logits (B, C); cams (B, C, h, w) signed;
    erased_class: the channel (B,) that is to be erased in each image, for the methods that erase.
    """

    images: Tensor
    labels: Tensor
    targets: Tensor
    logits: Tensor
    cams: Tensor
    erased_class: Tensor | None
    info: StepInfo


@dataclass
class Erased:
    """The images (B, 3, S, S) with one class softly erased, and the evidence (B, 1, S, S) for it."""

    evidence: Tensor
    images: Tensor


class PriorTask(Task):
    """A generator that is trained to classify; subclasses add what else it minimizes.

    generator: a CAM network. settings: the section `priors`. oc: the ordinary classifier, for the methods
    that erase.
    """

    #: erasing and reconstruction can become harder as the maps grow
    falling_terms = ("classification", "tiles")

    def __init__(self, generator: Classifier, settings: PriorsConfig, oc: Classifier | None = None) -> None:
        self.generator, self.settings = generator, settings
        self.trainables = {
            "generator": Trainable(
                generator, generator.head_modules(), max_grad_norm=settings.optimisation.max_grad_norm
            )
        }
        if settings.uses_oc != (oc is not None):
            need = "needs an" if settings.uses_oc else "does not use an"
            raise ValueError(f"method {settings.method} {need} ordinary classifier")
        self.oc = oc
        self.choice = ErasureChoice(settings.erasing, generator.classifier.out_channels)

    @property
    def frozen(self) -> list[nn.Module]:
        """The ordinary classifier."""
        return [] if self.oc is None else [self.oc]

    def objectives(self, batch: Batch, info: StepInfo) -> Iterator[Objective]:
        """One objective: the generator's."""
        yield self.objective(self.forward(batch, info))

    def objective(self, forward: Forward) -> Objective:
        """The generator's: at least the classification loss."""
        loss = losses.classification_loss(forward.logits, forward.targets)
        return Objective("generator").add("classification", loss)

    def forward(self, batch: Batch, info: StepInfo) -> Forward:
        """The generator's forward pass."""
        images, labels = batch["image"], batch["label"]
        # Before the pass: the choice reads the labels, which after it would have to wait for a GPU.
        erased_class = None if self.oc is None else self.choice(labels, batch["draw"])
        logits, cams = self.generator.forward_cam(images)
        targets = losses.smooth_labels(labels, self.settings.label_smoothing)
        return Forward(images, labels, targets, logits.float(), cams.float(), erased_class, info)

    def add_puzzle(self, objective: Objective, forward: Forward) -> None:
        """Classify the tiles, too, and match their maps with those of the whole image (Puzzle-CAM)."""
        puzzle = self.settings.puzzle
        _, tiles = self.generator.forward_cam(losses.tile(forward.images, puzzle.pieces))
        merged = losses.merge(tiles.float(), puzzle.pieces)
        logits = merged.mean(dim=(-2, -1))
        full = forward.cams
        if puzzle.level == "cam":
            full, merged = losses.normalize_cam(full), losses.normalize_cam(merged)
        if "classification" not in puzzle.terms:
            del objective.terms["classification"]
        if "tiles" in puzzle.terms:
            objective.add("tiles", losses.classification_loss(logits, forward.targets))
        if "reconstruction" in puzzle.terms:
            distance = losses.reconstruction_loss(
                full, merged, forward.labels, distance=puzzle.loss, over=puzzle.over
            )
            weight = puzzle.weight_at(forward.info.step, forward.info.steps)
            objective.add("reconstruction", distance, weight)
        if "confidence" in puzzle.terms:
            objective.add("confidence", losses.entropy_loss(logits))

    def add_erasing(self, objective: Objective, forward: Forward) -> Erased:
        """Erase one class per image; the ordinary classifier must then see the others only (OC-CSE)."""
        assert forward.erased_class is not None
        erasing = self.settings.erasing
        erased = self.erase(forward, forward.erased_class)
        remaining = forward.labels.scatter(1, forward.erased_class[:, None], 0.0)
        logits = self.oc_logits(erased.images).float()
        targets = losses.smooth_labels(remaining, self.settings.label_smoothing)
        weight = erasing.weight_at(forward.info.step, forward.info.steps)
        objective.add("erasing", losses.classification_loss(logits, targets), weight)
        self.choice.update(forward.labels, remaining, logits)
        return erased

    def erase(self, forward: Forward, classes: Tensor) -> Erased:
        """Fade out one class per image by the generator's map of it. classes: channels (B,)."""
        size = (forward.images.shape[-2], forward.images.shape[-1])
        evidence = losses.evidence_of(losses.maps_of_class(forward.cams, classes), size)
        if self.settings.erasing.normalize == "batch":
            peak = distributed.global_max(evidence.max())
        else:
            peak = evidence.amax(dim=(1, 2, 3), keepdim=True)
        return Erased(evidence, losses.erase_soft(forward.images, evidence, peak))

    def oc_logits(self, images: Tensor) -> Tensor:
        """Logits of the ordinary classifier, which is frozen."""
        assert self.oc is not None
        logits: Tensor = self.oc(images)
        return logits

    def state_dict(self) -> dict:
        """How often each class was erased, and how hard it was."""
        return self.choice.state_dict()

    def load_state_dict(self, state: dict) -> None:
        """Continue from `state_dict`."""
        self.choice.load_state_dict(state)
