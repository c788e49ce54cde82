"""P-NOC (David et al., 2024): P-OC against a classifier that learns, the not-so-ordinary one.

The generator erases what it knows of a class; the OC is then trained to find that class in what the
generator's map left visible, so that the map has to cover more of the object.
"""

from collections.abc import Iterator

from torch import Tensor, nn

from wsss import losses
from wsss.config import PriorsConfig
from wsss.models import Classifier
from wsss.training.task import Batch, Moment, Objective, Player
from wsss.training.tasks.prior import Erased, PriorTask, View


class Pnoc(PriorTask):
    """Two players: the generator minimises P-OC's loss, then the OC `λ_noc · ℓ_cls(OC(x hard-erased), y)`.

    Both steps look at the same maps, made before the generator's update. By the paper's objective the OC
    takes no gradient from the generator's step; `oc_gradient: published` leaves it there, as the published
    code does, so that the OC's next step follows both.
    """

    def __init__(self, generator: Classifier, settings: PriorsConfig, oc: Classifier | None = None) -> None:
        super().__init__(generator, settings, oc)
        assert oc is not None
        noc = settings.noc
        self.players["oc"] = Player(
            oc, oc.head_modules(), lr_mult=noc.lr_mult, max_grad_norm=noc.max_grad_norm, every=noc.every
        )
        # Remembered here, because `requires_grad` is switched off and on around the generator's step.
        self.learning = [parameter for parameter in oc.parameters() if parameter.requires_grad]

    @property
    def frozen(self) -> list[nn.Module]:
        """Both networks learn."""
        return []

    def objectives(self, batch: Batch, moment: Moment) -> Iterator[Objective]:
        """The generator's, then the OC's."""
        view = self.look(batch, moment)
        generator = super().objective(view)
        self.add_puzzle(generator, view)
        erased = self.add_erasing(generator, view)
        yield generator
        if moment.update % self.settings.noc.every == 0:
            yield self.oc_objective(view, erased)

    def judge(self, images: Tensor) -> Tensor:
        """Logits of the OC in evaluation mode; whether a gradient is left in it, `oc_gradient` says."""
        assert self.oc is not None
        self.oc.eval()
        leak = self.settings.noc.oc_gradient == "published"
        for parameter in self.learning:
            parameter.requires_grad_(leak)
        logits: Tensor = self.oc(images)
        for parameter in self.learning:
            parameter.requires_grad_(True)
        return logits

    def oc_objective(self, view: View, erased: Erased) -> Objective:
        """Find all classes, the erased one included, in what the generator's map left visible."""
        assert self.oc is not None
        noc = self.settings.noc
        if noc.mask == "hard":
            images = losses.erase_hard(view.images, erased.evidence, noc.threshold)
        else:
            images = erased.images.detach()
        self.oc.train()
        objective = Objective("oc")
        weight = view.moment.ramp(noc.weight_from, noc.weight, noc.ramp)
        objective.add("noc", losses.classification_loss(self.oc(images).float(), view.targets), weight)
        return objective
