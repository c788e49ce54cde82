"""The second stage: class-agnostic saliency maps.

C2AM contrasts foreground and background features, with hints from the CAMs (C2AM-H) or without; a dense CRF
aligns its maps with the image's edges; PoolNet is trained on the result and generalizes over single maps.
Published values: P-NOC's runner for VOC 2012, and PoolNet's own.
"""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wsss.config.inference import EvaluationConfig, Flip, LabelCrfConfig, Scales, TestTimeConfig, ThresholdTo
from wsss.config.section import Fault, Section
from wsss.config.training import (
    Accumulate,
    BackboneConfig,
    BackboneName,
    Batch,
    BiasDecay,
    BiasLrMult,
    Epochs,
    HeadLrMult,
    LabelSmoothing,
    LearningRate,
    NetworkConfig,
    OptimizationConfig,
    OptimizerName,
    PolyPower,
    Precision,
    Reduction,
    TrainingConfig,
    WeightDecay,
)

SaliencyMethod = Literal["none", "c2am", "c2am_h"]


class C2amOptimizationConfig(OptimizationConfig):
    """As published for C2AM-H on VOC. The contrast is between the images of a batch: it must be large."""

    lr: LearningRate = 1e-3
    epochs: Epochs = 10
    batch: Batch = 64
    accumulate: Accumulate = 2
    precision: Precision = "fp16"


class SquareCropConfig(Section):
    """Geometric augmentation of a training image: resized to a square, randomly cropped and flipped."""

    size: Annotated[
        int, Field(ge=16, description="side of the square that the image is resized to, in pixels")
    ] = 512
    crop: Annotated[int, Field(ge=16, description="side of the square crop, in pixels")] = 448

    def faults(self) -> Iterable[Fault]:
        if self.crop > self.size:
            yield Fault("crop", f"at most size, which is {self.size}")


class HintsConfig(Section):
    """C2AM-H (David et al., 2024): where a CAM is confident, the activation is trained to be foreground."""

    weight: Annotated[float, Field(ge=0, description="weight of the hints' loss")] = 1.0
    fg_threshold: Annotated[
        float,
        Field(ge=0, le=1, description="a pixel is a hint where its largest CAM value is at least this"),
    ] = 0.4
    label_smoothing: LabelSmoothing = 0.1


class C2amConfig(TrainingConfig):
    """Training of C2AM (Xie et al., 2022), the contrast between foreground and background features."""

    network: NetworkConfig = NetworkConfig()
    optimisation: C2amOptimizationConfig = C2amOptimizationConfig()
    augmentation: SquareCropConfig = SquareCropConfig()
    rank_alpha: Annotated[
        float,
        Field(ge=0, description="α: pairs are weighted by exp(-α·rank), the most similar pair first"),
    ] = 0.25
    hints: HintsConfig = HintsConfig()


class C2amMapsConfig(TestTimeConfig):
    """Inference of C2AM's activation maps with test-time augmentation."""


class SaliencyCrfConfig(LabelCrfConfig):
    """Saliency masks from C2AM's maps."""

    threshold: Annotated[
        float, Field(ge=0, le=1, description="a pixel is background where its map value is at most this")
    ] = 0.2


class PoolnetBackboneConfig(BackboneConfig):
    """PoolNet's backbone, whose batch norm is fixed."""

    backbone: BackboneName = "resnet50"


class PoolnetOptimizationConfig(OptimizationConfig):
    """As published: Adam with a constant learning rate, the mean gradient of ten images."""

    optimizer: OptimizerName = "adam"
    lr: LearningRate = 5e-5
    weight_decay: WeightDecay = 5e-4
    bias_decay: BiasDecay = True
    poly_power: PolyPower = 0.0
    head_lr_mult: HeadLrMult = 1.0
    bias_lr_mult: BiasLrMult = 1.0
    epochs: Epochs = 9
    batch: Batch = 1
    accumulate: Accumulate = 10
    reduction: Reduction = "mean"


class PoolnetConfig(TrainingConfig):
    """Training of PoolNet (Liu et al., 2019) with the masks of the CRF as annotations."""

    shares_network: ClassVar[bool] = False

    network: PoolnetBackboneConfig = PoolnetBackboneConfig()
    optimisation: PoolnetOptimizationConfig = PoolnetOptimizationConfig()


class PoolnetMapsConfig(TestTimeConfig):
    """Inference of PoolNet, by default as published: once, at the images' own size."""

    scales: Scales = (1.0,)
    flip: Flip = False


class SaliencyEvaluationConfig(EvaluationConfig):
    """The sweep over thresholds that saliency maps are scored with (published: 0.05 to 0.50)."""

    threshold_to: ThresholdTo = 0.5


class SaliencyConfig(Section):
    """Saliency maps, and how they are made."""

    method: Annotated[
        SaliencyMethod,
        Field(description="`none`: no saliency; `c2am`: C2AM; `c2am_h`: C2AM with hints from the CAMs"),
    ] = "c2am_h"
    refine: Annotated[
        Literal["none", "poolnet"],
        Field(description="`poolnet` trains PoolNet on the masks of the CRF; `none` uses these masks"),
    ] = "poolnet"
    c2am: C2amConfig = C2amConfig()
    maps: C2amMapsConfig = C2amMapsConfig()
    crf: SaliencyCrfConfig = SaliencyCrfConfig()
    poolnet: PoolnetConfig = PoolnetConfig()
    predictions: PoolnetMapsConfig = PoolnetMapsConfig()
    evaluation: SaliencyEvaluationConfig = SaliencyEvaluationConfig()

    @property
    def uses_hints(self) -> bool:
        """Whether C2AM is trained with hints from the CAMs."""
        return self.method == "c2am_h"

    def unread(self) -> frozenset[str]:
        return super().unread() | (frozenset() if self.uses_hints else {"c2am.hints"})
