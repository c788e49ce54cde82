"""The third stage: from CAMs to maps that follow the objects' borders, by a random walk between its edges.

What CAMs and saliency agree on becomes labels; AffinityNet learns from them where classes change; the CAMs
walk wherever no such edge is in the way. Published values: P-NOC's runner for VOC 2012, after IRNet.
"""

from collections.abc import Iterable

from pydantic import Field

from wsss.config.inference import LabelCrfConfig
from wsss.config.section import Fault, Section
from wsss.config.training import BackboneConfig, CropConfig, OptimizationConfig

#: pixels of the image per pixel of AffinityNet's edge map
EDGE_STRIDE = 4


class AffinityLabelsConfig(LabelCrfConfig):
    """What is sure enough to learn affinities from; the rest is ignored."""

    fg_threshold: float = Field(0.4, ge=0, le=1, description="greatest CAM value that is no class")
    bg_threshold: float = Field(
        0.1,
        ge=0,
        le=1,
        description="greatest saliency that is background; without saliency, greatest CAM value",
    )


class AffinityOptimizationConfig(OptimizationConfig):
    """As published: one learning rate and one decay for all that learns."""

    bias_decay: bool = Field(True, description="whether biases decay, too; weights always do")
    head_lr_mult: float = Field(1.0, gt=0, description="learning rate of new layers, as a multiple of lr")
    bias_lr_mult: float = Field(
        1.0, gt=0, description="learning rate of biases, as a multiple of the weights'"
    )
    epochs: int = Field(3, ge=1, description="passes over the training images")


class AffinityTrainingConfig(Section):
    """Training of AffinityNet (IRNet's boundary branch, Ahn et al., 2019) on a frozen backbone."""

    network: BackboneConfig = BackboneConfig()
    optimisation: AffinityOptimizationConfig = AffinityOptimizationConfig()
    augmentation: CropConfig = CropConfig()
    radius: int = Field(
        10, ge=2, description="pairs of pixels nearer than this are compared, in pixels of the edge map"
    )

    def faults(self) -> Iterable[Fault]:
        least = EDGE_STRIDE * (2 * self.radius - 1)
        if self.augmentation.crop % EDGE_STRIDE:
            yield Fault("augmentation.crop", f"a multiple of {EDGE_STRIDE}, for edges of whole pixels")
        elif self.augmentation.crop < least:
            yield Fault("augmentation.crop", f"at least {least}, to hold a pair of radius {self.radius}")


class WalkConfig(Section):
    """The random walk of the CAMs between the edges."""

    beta: float = Field(10.0, gt=0, description="exponent that sharpens the affinities")
    steps: int = Field(256, ge=0, description="steps of the walk (published: 2^8)")
    radius: int = Field(
        5, ge=2, description="a step leads to pixels nearer than this, in pixels of the edge map"
    )
    side: int = Field(
        512,
        ge=16,
        description="AffinityNet sees images padded on the right and bottom to at least this side, px, as in "
        "its training",
    )


class AffinityConfig(Section):
    """Affinity labels, AffinityNet, random walk."""

    labels: AffinityLabelsConfig = AffinityLabelsConfig()
    training: AffinityTrainingConfig = AffinityTrainingConfig()
    walk: WalkConfig = WalkConfig()
