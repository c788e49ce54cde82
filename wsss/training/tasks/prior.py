"""What the trainings of the priors have in common: one look at the batch, and two parts to add to it.

A method is a class that says which parts its generator minimises; P-NOC adds a second player.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from wsss import losses
from wsss.config import PriorsConfig
from wsss.machine import distributed
from wsss.models import Classifier
from wsss.training.erasure import ErasureChoice
from wsss.training.task import Batch, Moment, Objective, Player, Task


@dataclass
class View:
    """What the generator sees in a batch.

    images (B, 3, S, S); labels (B, C); targets: smoothed labels; logits (B, C); cams (B, C, h, w) signed;
    chosen: the channel (B,) that is to be erased in each image, for the methods that erase.
    """

    images: Tensor
    labels: Tensor
    targets: Tensor
    logits: Tensor
    cams: Tensor
    chosen: Tensor | None
    moment: Moment


@dataclass
class Erased:
    """The images (B, 3, S, S) with one class softly erased, and the evidence (B, 1, S, S) for it."""

    evidence: Tensor
    images: Tensor


class PriorTask(Task):
    """A generator that learns to classify; subclasses say what else it minimises.

    generator: a CAM network. settings: the section `priors`. oc: the ordinary classifier, for the methods
    that erase.
    """

    def __init__(self, generator: Classifier, settings: PriorsConfig, oc: Classifier | None = None) -> None:
        self.generator, self.settings = generator, settings
        self.players = {
            "generator": Player(
                generator, generator.head_modules(), max_grad_norm=settings.optimisation.max_grad_norm
            )
        }
        if settings.uses_oc != (oc is not None):
            need = "needs an" if settings.uses_oc else "has no use for an"
            raise ValueError(f"method {settings.method} {need} ordinary classifier")
        self.oc = oc
        self.choice = ErasureChoice(settings.erasing, generator.classifier.out_channels)

    @property
    def frozen(self) -> list[nn.Module]:
        """The ordinary classifier, which only judges."""
        return [] if self.oc is None else [self.oc]

    def objectives(self, batch: Batch, moment: Moment) -> Iterator[Objective]:
        """One objective: the generator's."""
        yield self.objective(self.look(batch, moment))

    def objective(self, view: View) -> Objective:
        """What the generator minimises: at least the classification loss."""
        objective = Objective("generator")
        objective.add("classification", losses.classification_loss(view.logits, view.targets))
        return objective

    def look(self, batch: Batch, moment: Moment) -> View:
        """The generator's forward pass."""
        images, labels = batch["image"], batch["label"]
        # Before the pass: the choice reads the labels, and a GPU would have to be waited for after it.
        chosen = None if self.oc is None else self.choice(labels, batch["draw"])
        logits, cams = self.generator.forward_cam(images)
        targets = losses.smooth_labels(labels, self.settings.label_smoothing)
        return View(images, labels, targets, logits.float(), cams.float(), chosen, moment)

    def add_puzzle(self, objective: Objective, view: View) -> None:
        """Classify the pieces, too, and match their maps with those of the whole image (Puzzle-CAM)."""
        puzzle = self.settings.puzzle
        _, tiles = self.generator.forward_cam(losses.tile(view.images, puzzle.pieces))
        merged = losses.merge(tiles.float(), puzzle.pieces)
        logits = merged.mean(dim=(-2, -1))
        full = view.cams
        if puzzle.level == "cam":
            full, merged = losses.normalize_cam(full), losses.normalize_cam(merged)
        if "classification" not in puzzle.terms:
            del objective.terms["classification"]
        if "tiles" in puzzle.terms:
            objective.add("tiles", losses.classification_loss(logits, view.targets))
        if "reconstruction" in puzzle.terms:
            distance = losses.reconstruction_loss(
                full, merged, view.labels, distance=puzzle.loss, over=puzzle.over
            )
            weight = view.moment.ramp(puzzle.weight_from, puzzle.weight, puzzle.ramp)
            objective.add("reconstruction", distance, weight)
        if "confidence" in puzzle.terms:
            objective.add("confidence", losses.entropy_loss(logits))

    def add_erasing(self, objective: Objective, view: View) -> Erased:
        """Erase one class per image; the ordinary classifier must then see the others only (OC-CSE)."""
        assert view.chosen is not None
        erasing = self.settings.erasing
        erased = self.erase(view, view.chosen)
        remaining = view.labels.scatter(1, view.chosen[:, None], 0.0)
        logits = self.judge(erased.images).float()
        targets = losses.smooth_labels(remaining, self.settings.label_smoothing)
        weight = view.moment.ramp(erasing.weight_from, erasing.weight, erasing.ramp)
        objective.add("erasing", losses.classification_loss(logits, targets), weight)
        self.choice.learn(view.labels, remaining, logits)
        return erased

    def erase(self, view: View, chosen: Tensor) -> Erased:
        """Fade out what the generator's map shows of one class per image."""
        size = (view.images.shape[-2], view.images.shape[-1])
        evidence = losses.evidence_of(losses.maps_of_class(view.cams, chosen), size)
        if self.settings.erasing.normalize == "batch":
            peak = distributed.global_max(evidence.max())
        else:
            peak = evidence.amax(dim=(1, 2, 3), keepdim=True)
        return Erased(evidence, losses.erase_soft(view.images, evidence, peak))

    def judge(self, images: Tensor) -> Tensor:
        """Logits of the ordinary classifier, which learns nothing from them."""
        assert self.oc is not None
        logits: Tensor = self.oc(images)
        return logits

    def state_dict(self) -> dict:
        """How often each class was erased, and how hard it was."""
        return self.choice.state_dict()

    def load_state_dict(self, state: dict) -> None:
        """Continue from `state_dict`."""
        self.choice.load_state_dict(state)
