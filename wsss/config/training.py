"""What every training has: a network, an optimisation, an augmentation.

The defaults are those published for the ordinary classifier on VOC 2012; a section whose published values
differ (`priors`) derives its own. The short types carry bounds and meaning of the keys that it sets anew.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from wsss.config.section import Fault, Section, repeated

Precision = Annotated[
    Literal["float32", "bf16", "fp16"],
    Field(description="arithmetic of the networks; `bf16` and `fp16` are mixed precision"),
]
Batch = Annotated[int, Field(ge=1, description="images per step, over all devices together")]
Accumulate = Annotated[int, Field(ge=1, description="steps whose gradients make one step of the optimiser")]
Color = Annotated[
    tuple[Literal["randaugment", "colorjitter", "clahe"], ...],
    Field(description="colour changes, in this order; `randaugment` is FixMatch's (Sohn et al., 2020)"),
]
LabelSmoothing = Annotated[float, Field(ge=0, lt=1, description="α of the smoothed label (1 − α)·y + α/2")]


class BackboneConfig(Section):
    """A pretrained backbone."""

    backbone: str = Field("resnest269e", min_length=1, description="timm's name of the network")
    weights: str = Field(
        "imagenet",
        min_length=1,
        description="start from: `imagenet` (timm downloads them), `package` (an installed Python package "
        "carries them), `none` (random), or the path of a file",
    )
    output_stride: Literal[8, 16, 32] = Field(
        16, description="pixels of the image per pixel of the backbone's last map"
    )


class NetworkConfig(BackboneConfig):
    """A backbone that learns, and what stands on it."""

    norm: Literal["normal", "fix"] = Field(
        "normal", description="batch norm: `normal` learns, `fix` keeps its statistics, scale and shift"
    )
    freeze: Literal["none", "stem", "stages", "all"] = Field(
        "none",
        description="what does not learn: the stem, all but the last stage (`stages`), the whole backbone",
    )


class EmaConfig(Section):
    """A moving average of the weights, which is what the training saves."""

    decay: float = Field(0.99, gt=0, lt=1, description="decay of the average, per update")
    every: int = Field(32, ge=1, description="optimiser steps between two updates")
    warmup_epochs: float = Field(1.0, ge=0, description="epochs before the average starts")


class OptimizationConfig(Section):
    """How the weights are fitted (reference: 15 epochs of plain SGD with polynomial decay)."""

    optimizer: Literal["sgd", "momentum", "adam", "adamw"] = Field(
        "sgd", description="`sgd` has no momentum, as published; `momentum` is Nesterov's with 0.9"
    )
    lr: float = Field(0.1, gt=0, description="learning rate of pretrained weights at the first step")
    weight_decay: float = Field(1e-4, ge=0, description="weight decay")
    bias_decay: bool = Field(False, description="whether biases decay, too; weights always do")
    poly_power: float = Field(0.9, ge=0, description="p of the decay lr·(1 − step/steps)^p; 0 keeps lr")
    head_lr_mult: float = Field(10.0, gt=0, description="learning rate of new layers, as a multiple of lr")
    bias_lr_mult: float = Field(
        2.0, gt=0, description="learning rate of biases, as a multiple of the weights'"
    )
    epochs: int = Field(15, ge=1, description="passes over the training images")
    batch: Batch = 32
    accumulate: Accumulate = 1
    reduction: Literal["sum", "mean"] = Field(
        "sum", description="accumulated gradients are summed, as published, or averaged"
    )
    precision: Precision = "float32"
    max_grad_norm: float | None = Field(
        None, gt=0, description="norm that the gradient is clipped to; null: none"
    )
    ema: EmaConfig | None = Field(
        None, description="average the weights; `{}` averages with the defaults below"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed of new layers, order and augmentation")


class CropConfig(Section):
    """Where a training image is seen: resized, mirrored, cut."""

    crop: int = Field(512, ge=16, description="side of the square crop, px; smaller images are padded")
    min_side: int = Field(320, ge=16, description="random resizing: least length of the longer side, px")
    max_side: int = Field(640, ge=16, description="random resizing: greatest length of the longer side, px")

    def faults(self) -> Iterable[Fault]:
        if self.min_side > self.max_side:
            yield Fault("min_side", f"at most max_side, which is {self.max_side}")


class ColorCropConfig(CropConfig):
    """How a training image is changed before the network sees it, its label map with it."""

    color: Color = ("randaugment",)

    def faults(self) -> Iterable[Fault]:
        yield from super().faults()
        yield from repeated("color", self.color)


class AugmentationConfig(ColorCropConfig):
    """How a training image is changed before the network sees it."""

    mix: Literal["none", "mixup", "cutmix", "cutormixup"] = Field(
        "none", description="mix pairs of images and labels"
    )
    mix_probability: float = Field(1.0, ge=0, le=1, description="share of the images that are mixed")


class ClassifierConfig(Section):
    """A classifier's training: what `oc` and `priors` share."""

    network: NetworkConfig = NetworkConfig()
    optimisation: OptimizationConfig = OptimizationConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    label_smoothing: LabelSmoothing = 0.1
