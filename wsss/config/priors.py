"""The trainings of the first stage: the ordinary classifier (OC) and the generator of the priors (CAMs).

Published values: P-NOC (David et al., 2024), its runner for VOC 2012.
"""

import math
from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from wsss.config.section import Fault, Section, repeated
from wsss.config.training import (
    Accumulate,
    AugmentationConfig,
    Batch,
    ClassifierConfig,
    Color,
    OptimizationConfig,
    Precision,
)

Method = Literal["vanilla", "puzzle", "occse", "poc", "pnoc"]

#: what each method adds to the classification loss: the blocks of keys under `priors` that it reads
REGULARISERS: dict[Method, tuple[str, ...]] = {
    "vanilla": (),
    "puzzle": ("puzzle",),
    "occse": ("erasing",),
    "poc": ("puzzle", "erasing"),
    "pnoc": ("puzzle", "erasing", "noc"),
}


class RampConfig(Section):
    """A loss weight that rises linearly over the first part of the training."""

    weight_from: float = Field(0.0, ge=0, description="weight of the loss at the first step")
    weight: float = Field(1.0, ge=0, description="weight of the loss at the end of the ramp and after")
    ramp: float = Field(
        1.0, ge=0, le=1, description="share of the training over which the weight rises; 0: final at once"
    )

    def faults(self) -> Iterable[Fault]:
        if self.weight_from > self.weight:
            yield Fault("weight_from", f"at most weight, which is {self.weight}")


class PuzzleConfig(RampConfig):
    """Puzzle-CAM (Jo and Yu, 2021): the CAMs of an image's tiles, put together, match the image's CAMs."""

    weight: float = Field(4.0, ge=0, description="weight of the loss at the end of the ramp and after")
    ramp: float = Field(
        0.5, ge=0, le=1, description="share of the training over which the weight rises; 0: final at once"
    )
    pieces: Literal[4, 9, 16] = Field(4, description="tiles per image, a square number")
    loss: Literal["l1", "l2"] = Field("l1", description="distance between the two CAMs")
    over: Literal["masking", "selection", "none"] = Field(
        "masking",
        description="mean over all classes with absent ones as 0 (`masking`), over the image's classes "
        "(`selection`), or over all classes (`none`)",
    )
    level: Literal["feature", "cam"] = Field(
        "feature", description="compare the maps as the network gives them, or as normalised CAMs"
    )
    terms: tuple[Literal["classification", "tiles", "reconstruction", "confidence"], ...] = Field(
        ("classification", "tiles", "reconstruction"),
        min_length=1,
        description="losses that are summed (published: cl, pcl, re, conf)",
    )

    def faults(self) -> Iterable[Fault]:
        yield from super().faults()
        yield from repeated("terms", self.terms)


class ErasingConfig(RampConfig):
    """OC-CSE (Kweon et al., 2021): where the CAM erases a class, the OC sees the other classes only."""

    weight_from: float = Field(0.3, ge=0, description="weight of the loss at the first step")
    choice: Literal["random", "balanced", "least_chosen", "focal"] = Field(
        "random", description="how the class to erase is drawn among an image's classes"
    )
    focal_momentum: float = Field(0.9, ge=0, lt=1, description="`focal`: momentum of a class's difficulty")
    focal_gamma: float = Field(2.0, ge=0, description="`focal`: exponent γ of the difficulty (1 − p)^γ")
    normalize: Literal["batch", "image"] = Field(
        "batch", description="the soft mask is 1 at the greatest CAM value of the batch, or of each image"
    )


class NocConfig(RampConfig):
    """P-NOC (David et al., 2024): the OC is trained on, with the erased images and all their classes."""

    mask: Literal["hard", "soft"] = Field(
        "hard",
        description="erase where the CAM is above `threshold`, or by the generator's soft mask "
        "(published: cams, features)",
    )
    threshold: float = Field(
        0.2, ge=0, le=1, description="δ: greatest CAM value that `hard` keeps, 1 is the maximum"
    )
    every: int = Field(1, ge=1, description="steps of the generator per step of the OC")
    oc_gradient: Literal["none", "published"] = Field(
        "none",
        description="gradient that the generator's step leaves in the OC: `none` as in the paper; "
        "`published` as in the published code, which adds it to the OC's next step",
    )
    oc_norm: Literal["fix", "normal"] = Field("fix", description="batch norm of the OC, as `network.norm`")
    lr_mult: float = Field(1.0, gt=0, description="learning rate of the OC, as a multiple of the generator's")
    max_grad_norm: float | None = Field(
        None, gt=0, description="norm that the OC's gradient is clipped to; null: none"
    )
    keep_oc: bool = Field(False, description="save the trained OC beside the generator")


class OcConfig(ClassifierConfig):
    """The ordinary classifier: plain classification, its CAMs are the vanilla ones."""


class PriorsOptimizationConfig(OptimizationConfig):
    """As the OC's, with the batch and precision published for P-NOC: 2 × 16 images, mixed precision."""

    batch: Batch = 16
    accumulate: Accumulate = 2
    precision: Precision = "fp16"


class PriorsAugmentationConfig(AugmentationConfig):
    """As the OC's, with the colours published for P-NOC."""

    color: Color = ("colorjitter",)


class PriorsConfig(ClassifierConfig):
    """The generator, whose CAMs are the priors of all later stages."""

    method: Method = Field(
        "pnoc",
        description="`vanilla` classification; `puzzle` Puzzle-CAM; `occse` OC-CSE; `poc` both; "
        "`pnoc` both and the OC trained along",
    )
    optimisation: PriorsOptimizationConfig = PriorsOptimizationConfig()
    augmentation: PriorsAugmentationConfig = PriorsAugmentationConfig()
    puzzle: PuzzleConfig = PuzzleConfig()
    erasing: ErasingConfig = ErasingConfig()
    noc: NocConfig = NocConfig()

    @property
    def regularisers(self) -> tuple[str, ...]:
        """Names of the regularisers, of `puzzle`, `erasing` and `noc`, that the method has."""
        return REGULARISERS[self.method]

    @property
    def uses_oc(self) -> bool:
        """Whether the method needs a trained ordinary classifier."""
        return "erasing" in self.regularisers

    def unread(self) -> frozenset[str]:
        return frozenset(REGULARISERS["pnoc"]) - frozenset(self.regularisers)

    def faults(self) -> Iterable[Fault]:
        if "puzzle" in self.regularisers:
            step = math.isqrt(self.puzzle.pieces) * self.network.output_stride
            if self.augmentation.crop % step:
                must = f"a multiple of {step} (√pieces × output_stride), for tiles of whole CAM pixels"
                yield Fault("augmentation.crop", must)
