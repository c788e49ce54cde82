"""A linear classifier on frozen features, whose CAMs are those of a pretrained backbone.

For backbones with strong features (DINOv2, DINOv3, CLIP), which training on few images would degrade.
"""

from wsss.config import PriorsConfig
from wsss.models import Classifier
from wsss.training.tasks.prior import PriorTask


class Linear(PriorTask):
    """`L = ℓ_cls(z, y)`, minimized by the classifier's last layer alone."""

    def __init__(self, generator: Classifier, settings: PriorsConfig, oc: Classifier | None = None) -> None:
        generator.backbone.freeze(generator.backbone.modules())
        super().__init__(generator, settings, oc)
