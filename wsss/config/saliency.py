"""The second stage: what of an image is object, whatever its class.

C2AM finds it by contrast, with hints of the CAMs (C2AM-H) or without; a dense CRF draws the maps to the edges
of the photograph; PoolNet learns from the result and sees what single maps miss. Published values: P-NOC's
runner for VOC 2012, and PoolNet's own.
"""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from wsss.config.inference import EvaluationConfig, LabelCrfConfig, Scales, TestTimeConfig
from wsss.config.section import Fault, Section
from wsss.config.training import (
    Accumulate,
    BackboneConfig,
    Batch,
    LabelSmoothing,
    NetworkConfig,
    OptimizationConfig,
    Precision,
)

SaliencyMethod = Literal["none", "c2am", "c2am_h"]


class C2amOptimizationConfig(OptimizationConfig):
    """As published for C2AM-H on VOC. Features are contrasted within a step's batch, so it must be large."""

    lr: float = Field(1e-3, gt=0, description="learning rate of pretrained weights at the first step")
    epochs: int = Field(10, ge=1, description="passes over the training images")
    batch: Batch = 64
    accumulate: Accumulate = 2
    precision: Precision = "fp16"


class SquareCropConfig(Section):
    """How a training image is changed before the network sees it: made a square, cut, mirrored."""

    size: int = Field(512, ge=16, description="side of the square that the image is resized to, px")
    crop: int = Field(448, ge=16, description="side of the square crop, px")

    def faults(self) -> Iterable[Fault]:
        if self.crop > self.size:
            yield Fault("crop", f"at most size, which is {self.size}")


class HintsConfig(Section):
    """C2AM-H (David et al., 2024): where a CAM is sure of an object, the activation must be foreground."""

    weight: float = Field(1.0, ge=0, description="weight of the hints' loss")
    fg_threshold: float = Field(
        0.4, ge=0, le=1, description="least CAM value, the maximum over classes, that is a hint"
    )
    label_smoothing: LabelSmoothing = 0.1


class C2amConfig(Section):
    """Training of C2AM (Xie et al., 2022), the contrast between foreground and background features."""

    network: NetworkConfig = NetworkConfig()
    optimisation: C2amOptimizationConfig = C2amOptimizationConfig()
    augmentation: SquareCropConfig = SquareCropConfig()
    rank_alpha: float = Field(
        0.25, ge=0, description="α: weights of pairs fall as exp(-α·rank), most similar first"
    )
    hints: HintsConfig = HintsConfig()


class C2amMapsConfig(TestTimeConfig):
    """Inference of C2AM's activation maps with test-time augmentation."""


class SaliencyCrfConfig(LabelCrfConfig):
    """From C2AM's maps to masks."""

    threshold: float = Field(0.2, ge=0, le=1, description="greatest map value that is background")


class PoolnetBackboneConfig(BackboneConfig):
    """PoolNet's backbone, whose batch norm is fixed."""

    backbone: str = Field(
        "resnet50",
        min_length=1,
        description="timm's name of the network, or `resnet50_caffe`, the published one, with a file of its "
        "weights",
    )


class PoolnetOptimizationConfig(OptimizationConfig):
    """As published: Adam, one learning rate that stays, the mean gradient of ten images."""

    optimizer: Literal["sgd", "momentum", "adam", "adamw"] = Field(
        "adam", description="`sgd` has no momentum; `momentum` is Nesterov's with 0.9"
    )
    lr: float = Field(5e-5, gt=0, description="learning rate of pretrained weights at the first step")
    weight_decay: float = Field(5e-4, ge=0, description="weight decay")
    bias_decay: bool = Field(True, description="whether biases decay, too; weights always do")
    poly_power: float = Field(0.0, ge=0, description="p of the decay lr·(1 − step/steps)^p; 0 keeps lr")
    head_lr_mult: float = Field(1.0, gt=0, description="learning rate of new layers, as a multiple of lr")
    bias_lr_mult: float = Field(
        1.0, gt=0, description="learning rate of biases, as a multiple of the weights'"
    )
    epochs: int = Field(9, ge=1, description="passes over the training images")
    batch: Batch = 1
    accumulate: Accumulate = 10
    reduction: Literal["sum", "mean"] = Field(
        "mean", description="accumulated gradients are summed, or averaged, as published"
    )


class PoolnetConfig(Section):
    """Training of PoolNet (Liu et al., 2019) on the masks of the CRF, as if they were annotations."""

    network: PoolnetBackboneConfig = PoolnetBackboneConfig()
    optimisation: PoolnetOptimizationConfig = PoolnetOptimizationConfig()


class PoolnetMapsConfig(TestTimeConfig):
    """Inference of PoolNet, by default as published: once, at the images' own size."""

    scales: Scales = (1.0,)
    flip: bool = Field(False, description="see each image mirrored, too")


class SaliencyEvaluationConfig(EvaluationConfig):
    """The sweep over thresholds that saliency maps are scored with (published: 0.05 to 0.50)."""

    threshold_to: float = Field(0.5, ge=0, le=1, description="greatest background score")


class SaliencyConfig(Section):
    """Saliency maps, and how they are made."""

    method: SaliencyMethod = Field(
        "c2am_h",
        description="`none` uses no saliency; `c2am` C2AM; `c2am_h` C2AM with hints of the CAMs",
    )
    refine: Literal["none", "poolnet"] = Field(
        "poolnet", description="`poolnet` learns from the masks of the CRF; `none` passes them on"
    )
    c2am: C2amConfig = C2amConfig()
    maps: C2amMapsConfig = C2amMapsConfig()
    crf: SaliencyCrfConfig = SaliencyCrfConfig()
    poolnet: PoolnetConfig = PoolnetConfig()
    predictions: PoolnetMapsConfig = PoolnetMapsConfig()
    evaluation: SaliencyEvaluationConfig = SaliencyEvaluationConfig()

    @property
    def uses_hints(self) -> bool:
        """Whether C2AM learns from the CAMs."""
        return self.method == "c2am_h"

    def unread(self) -> frozenset[str]:
        return frozenset() if self.uses_hints else frozenset({"c2am.hints"})
