"""A linear classifier on frozen features, whose CAMs show what a pretrained backbone knows of the classes.

For backbones with strong features (DINOv2, DINOv3, CLIP), which few images would only make worse.
"""

from wsss.config import PriorsConfig
from wsss.models import Classifier
from wsss.training.tasks.prior import PriorTask


class Linear(PriorTask):
    """`L = ℓ_cls(z, y)`, minimized by the classifier's last layer alone."""

    def __init__(self, generator: Classifier, settings: PriorsConfig, oc: Classifier | None = None) -> None:
        generator.backbone.rest(generator.backbone.modules())
        super().__init__(generator, settings, oc)
