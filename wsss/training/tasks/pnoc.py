"""P-NOC (David et al., 2024): P-OC against a classifier that is trained, too: the not-so-ordinary one.

The generator's map erases a class; the OC is then trained to find that class in what is left of the image,
so that the map has to cover more of the object.
"""

from collections.abc import Iterator

from torch import Tensor, nn

from wsss import losses
from wsss.config import PriorsConfig
from wsss.models import Classifier
from wsss.training.task import Batch, Objective, StepInfo, Trainable
from wsss.training.tasks.prior import Erased, Forward, PriorTask


class Pnoc(PriorTask):
    """Two networks: the generator minimizes P-OC's loss, then the OC `λ_noc · ℓ_cls(OC(x hard-erased), y)`.

    Both steps use the same maps, those before the generator's update. By the paper's objective the OC gets no
    gradient from the generator's step; `oc_gradient: published` leaves it there, as the published code does,
    so that the OC's next step follows both.
    """

    def __init__(self, generator: Classifier, settings: PriorsConfig, oc: Classifier | None = None) -> None:
        super().__init__(generator, settings, oc)
        assert oc is not None
        noc = settings.noc
        self.trainables["oc"] = Trainable(
            oc, oc.head_modules(), lr_mult=noc.lr_mult, max_grad_norm=noc.max_grad_norm, every=noc.every
        )
        self.shares_gradients = noc.oc_gradient == "published"
        # Listed here, because `requires_grad` is switched off and on around the generator's step.
        self.oc_parameters = [parameter for parameter in oc.parameters() if parameter.requires_grad]

    @property
    def frozen(self) -> list[nn.Module]:
        """None: both networks are trained."""
        return []

    def objectives(self, batch: Batch, info: StepInfo) -> Iterator[Objective]:
        """The generator's, then the OC's."""
        forward = self.forward(batch, info)
        generator = super().objective(forward)
        self.add_puzzle(generator, forward)
        erased = self.add_erasing(generator, forward)
        yield generator
        if info.optimizer_step % self.settings.noc.every == 0:
            yield self.oc_objective(forward, erased)

    def oc_logits(self, images: Tensor) -> Tensor:
        """Logits of the OC in evaluation mode; its parameters get a gradient as `oc_gradient` says."""
        assert self.oc is not None
        self.oc.eval()
        leak = self.settings.noc.oc_gradient == "published"
        for parameter in self.oc_parameters:
            parameter.requires_grad_(leak)
        logits: Tensor = self.oc(images)
        for parameter in self.oc_parameters:
            parameter.requires_grad_(True)
        return logits

    def oc_objective(self, forward: Forward, erased: Erased) -> Objective:
        """All classes, the erased one included, must be found in what the generator's map left visible."""
        assert self.oc is not None
        noc = self.settings.noc
        if noc.mask == "hard":
            images = losses.erase_hard(forward.images, erased.evidence, noc.threshold)
        else:
            images = erased.images.detach()
        self.oc.train()
        weight = noc.weight_at(forward.info.step, forward.info.steps)
        loss = losses.classification_loss(self.oc(images).float(), forward.targets)
        return Objective("oc").add("noc", loss, weight)
