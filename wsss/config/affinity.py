"""The third stage: CAMs are propagated up to the objects' borders, by a random walk that edges stop.

Confident pixels of CAMs and saliency become affinity labels; AffinityNet learns from them where classes
change; the random walk propagates the CAMs where it predicts no edge. Published values: P-NOC's runner for
VOC 2012, after IRNet.
"""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from wsss.config.inference import LabelRefinementConfig
from wsss.config.section import Fault, Section
from wsss.config.training import (
    BackboneConfig,
    BiasDecay,
    BiasLrMult,
    CropConfig,
    Epochs,
    HeadLrMult,
    OptimizationConfig,
    TrainingConfig,
)

#: pixels of the image per pixel of AffinityNet's edge map
EDGE_STRIDE = 4


class AffinityLabelsConfig(LabelRefinementConfig):
    """Affinity labels: pixels with a confident label; the others are ignored."""

    fg_threshold: Annotated[
        float, Field(ge=0, le=1, description="a pixel has a class where its CAM value is greater than this")
    ] = 0.4
    bg_threshold: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="a pixel is background where its saliency is at most this; without saliency, where "
            "its CAM values are",
        ),
    ] = 0.1


class AffinityOptimizationConfig(OptimizationConfig):
    """As published: one learning rate and one weight decay for all trained parameters."""

    bias_decay: BiasDecay = True
    head_lr_mult: HeadLrMult = 1.0
    bias_lr_mult: BiasLrMult = 1.0
    epochs: Epochs = 3


class AffinityTrainingConfig(TrainingConfig):
    """Training of AffinityNet (IRNet's boundary branch, Ahn et al., 2019) on a frozen backbone."""

    network: BackboneConfig = BackboneConfig()
    optimisation: AffinityOptimizationConfig = AffinityOptimizationConfig()
    augmentation: CropConfig = CropConfig()
    radius: Annotated[
        int,
        Field(
            ge=2,
            description="pixels are paired up to a distance below this, in pixels of the edge map (stride 4)",
        ),
    ] = 10

    def faults(self) -> Iterable[Fault]:
        yield from super().faults()
        least = EDGE_STRIDE * (2 * self.radius - 1)
        if self.augmentation.crop % EDGE_STRIDE:
            yield Fault("augmentation.crop", f"a multiple of {EDGE_STRIDE}, the stride of the edge map")
        elif self.augmentation.crop < least:
            yield Fault("augmentation.crop", f"at least {least}, to contain a pair of radius {self.radius}")


class WalkConfig(Section):
    """The random walk of the CAMs, which edges stop."""

    beta: Annotated[float, Field(gt=0, description="exponent β of the affinities; greater is sharper")] = 10.0
    steps: Annotated[int, Field(ge=0, description="steps of the random walk (published: 2^8)")] = 256
    radius: Annotated[
        int,
        Field(ge=2, description="a step leads to pixels at a distance below this, in pixels of the edge map"),
    ] = 5
    side: Annotated[
        int,
        Field(
            ge=16,
            description="images are padded on the right and bottom to at least this side, in pixels, before "
            "AffinityNet predicts their edges; use the training's crop",
        ),
    ] = 512


class AffinityConfig(Section):
    """Affinity labels, AffinityNet, random walk."""

    labels: AffinityLabelsConfig = AffinityLabelsConfig()
    training: AffinityTrainingConfig = AffinityTrainingConfig()
    walk: WalkConfig = WalkConfig()
