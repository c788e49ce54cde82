"""The trainings of the first stage: the ordinary classifier (OC) and the generator of the priors (CAMs).

Published values: P-NOC (David et al., 2024), its runner for VOC 2012.
"""

import math
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from wsss.config.section import Fault, ReadWhen, Section, repeated
from wsss.config.text import TextConfig
from wsss.config.training import (
    Accumulate,
    AugmentationConfig,
    Batch,
    ClassifierConfig,
    Color,
    OptimizationConfig,
    Precision,
)

Method = Literal["vanilla", "puzzle", "occse", "poc", "pnoc", "linear", "clip_es"]

# Keys whose default another section changes.
WeightFrom = Annotated[float, Field(ge=0, description="weight of the loss at the first step")]
Weight = Annotated[float, Field(ge=0, description="weight of the loss at the end of the ramp and after it")]
RampLength = Annotated[
    float,
    Field(ge=0, le=1, description="share of the training over which the weight rises linearly; 0: no ramp"),
]


class RampConfig(Section):
    """A loss weight that rises linearly over the first part of the training."""

    weight_from: WeightFrom = 0.0
    weight: Weight = 1.0
    ramp: RampLength = 1.0

    def faults(self) -> Iterable[Fault]:
        if self.weight_from > self.weight:
            yield Fault("weight_from", f"at most weight, which is {self.weight}")

    def weight_at(self, step: int, steps: int) -> float:
        """The weight of the loss after `step` of all `steps` of a training."""
        if self.ramp == 0:
            return self.weight
        done = min(step / (steps * self.ramp), 1.0)
        return self.weight_from + (self.weight - self.weight_from) * done


class PuzzleConfig(RampConfig):
    """Puzzle-CAM (Jo and Yu, 2021): the merged CAMs of an image's tiles match the CAMs of the image."""

    weight: Weight = 4.0
    ramp: RampLength = 0.5
    pieces: Annotated[Literal[4, 9, 16], Field(description="tiles per image, a square number")] = 4
    loss: Annotated[Literal["l1", "l2"], Field(description="distance between the two CAMs")] = "l1"
    over: Annotated[
        Literal["masking", "selection", "none"],
        Field(
            description="the loss is averaged over all classes with absent ones set to 0 (`masking`), over "
            "the image's classes (`selection`), or over all classes (`none`)",
        ),
    ] = "masking"
    level: Annotated[
        Literal["feature", "cam"],
        Field(description="compare the network's maps (`feature`) or normalized CAMs (`cam`)"),
    ] = "feature"
    terms: Annotated[
        tuple[Literal["classification", "tiles", "reconstruction", "confidence"], ...],
        Field(min_length=1, description="losses that are summed (published names: cl, pcl, re, conf)"),
    ] = ("classification", "tiles", "reconstruction")

    def faults(self) -> Iterable[Fault]:
        yield from super().faults()
        yield from repeated("terms", self.terms)


class ErasingConfig(RampConfig):
    """OC-CSE (Kweon et al., 2021): once a class is erased by its CAM, the OC predicts only the others."""

    weight_from: WeightFrom = 0.3
    choice: Annotated[
        Literal["random", "balanced", "least_chosen", "focal"],
        Field(description="how the class to erase is drawn from an image's classes"),
    ] = "random"
    focal_momentum: Annotated[
        float, Field(ge=0, lt=1, description="`focal`: momentum of a class's difficulty")
    ] = 0.9
    focal_gamma: Annotated[
        float, Field(ge=0, description="`focal`: exponent γ of the difficulty (1 − p)^γ")
    ] = 2.0
    normalize: Annotated[
        Literal["batch", "image"],
        Field(description="the soft mask is the CAM divided by the maximum of the batch, or of each image"),
    ] = "batch"


class NocConfig(RampConfig):
    """P-NOC (David et al., 2024): the OC is trained, too, on the erased images with all their classes."""

    mask: Annotated[
        Literal["hard", "soft"],
        Field(
            description="`hard` erases pixels whose CAM is above `threshold`; `soft` multiplies by the "
            "generator's soft mask (published names: cams, features)",
        ),
    ] = "hard"
    threshold: Annotated[
        float,
        Field(ge=0, le=1, description="`hard`: largest CAM value that is not erased (δ); the maximum is 1"),
    ] = 0.2
    every: Annotated[int, Field(ge=1, description="optimizer steps of the generator per step of the OC")] = 1
    oc_gradient: Annotated[
        Literal["none", "published"],
        Field(
            description="gradient that the generator's step leaves in the OC: `none`, as in the paper, or "
            "added to the OC's next step, as in the `published` code",
        ),
    ] = "none"
    oc_norm: Annotated[
        Literal["fix", "normal"], Field(description="batch norm of the OC, as `network.norm`")
    ] = "fix"
    lr_mult: Annotated[
        float, Field(gt=0, description="learning rate of the OC, as a multiple of the generator's")
    ] = 1.0
    max_grad_norm: Annotated[
        float | None,
        Field(gt=0, description="gradient clipping of the OC: largest norm; null: no clipping"),
    ] = None
    keep_oc: Annotated[bool, Field(description="save the trained OC beside the generator")] = False


class OcConfig(ClassifierConfig):
    """The ordinary classifier: plain classification; its CAMs are the vanilla ones."""


class PriorsOptimizationConfig(OptimizationConfig):
    """As the OC's, with the batch and precision published for P-NOC: 2 × 16 images, mixed precision."""

    batch: Batch = 16
    accumulate: Accumulate = 2
    precision: Precision = "fp16"


class PriorsAugmentationConfig(AugmentationConfig):
    """As the OC's, with the color augmentation published for P-NOC."""

    color: Color = ("colorjitter",)


class PriorsConfig(ClassifierConfig):
    """The generator, whose CAMs are the priors of all later stages.

    A regularizer is a block of keys, annotated with the methods that read it. A new method is a name in
    `Method` and, if it has keys, such a block.
    """

    method: Annotated[
        Method,
        Field(
            description="`vanilla`: classification only; `puzzle`: Puzzle-CAM; `occse`: OC-CSE; `poc`: both; "
            "`pnoc`: both, and the OC is trained, too; `linear`: classification on a frozen backbone, "
            "whatever `network.freeze` says; `clip_es`: CLIP-ES (Lin et al., 2023), which trains nothing and "
            "has CLIP's image tower as `network.backbone`",
        ),
    ] = "pnoc"
    optimisation: PriorsOptimizationConfig = PriorsOptimizationConfig()
    augmentation: PriorsAugmentationConfig = PriorsAugmentationConfig()
    puzzle: Annotated[PuzzleConfig, ReadWhen("method", ("puzzle", "poc", "pnoc"))] = PuzzleConfig()
    erasing: Annotated[ErasingConfig, ReadWhen("method", ("occse", "poc", "pnoc"))] = ErasingConfig()
    noc: Annotated[NocConfig, ReadWhen("method", ("pnoc",))] = NocConfig()
    text: Annotated[TextConfig, ReadWhen("method", ("clip_es",))] = TextConfig()

    @property
    def regularizers(self) -> tuple[str, ...]:
        """Names of the blocks that the method reads, of those that only some methods do."""
        return tuple(name for name in self.conditions() if name not in self.unread())

    @property
    def uses_oc(self) -> bool:
        """Whether the method needs a trained ordinary classifier."""
        return "erasing" in self.regularizers

    @property
    def trains_oc_norm(self) -> bool:
        """Whether the batch norm of the ordinary classifier is trained, too."""
        return "noc" in self.regularizers and self.noc.oc_norm == "normal"

    @property
    def images_per_process(self) -> int:
        return 2 if self.trains_oc_norm else super().images_per_process

    def faults(self) -> Iterable[Fault]:
        yield from super().faults()
        if self.method == "clip_es" and "clip" not in self.network.backbone:
            example = "vit_base_patch16_clip_quickgelu_224.openai"
            yield Fault(
                "network.backbone", f"the image tower of a CLIP for method clip_es, such as {example}"
            )
        if "puzzle" in self.regularizers:
            step = math.isqrt(self.puzzle.pieces) * self.network.output_stride
            if self.augmentation.crop % step:
                must = f"a multiple of {step} (√pieces × output_stride), for tiles of whole CAM pixels"
                yield Fault("augmentation.crop", must)
