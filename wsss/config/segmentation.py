"""The last stage: a segmentation network trained on pseudo labels, which the propagated CAMs give.

Published values: P-NOC's first release (2023), which its README describes; of its inference, the later one's.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from wsss.config.inference import GtProb, Iterations, LabelRefinementConfig, TestTimeConfig
from wsss.config.section import ReadWhen, Section
from wsss.config.training import (
    Color,
    ColorCropConfig,
    Epochs,
    LearningRate,
    MaxSide,
    MinSide,
    NetworkConfig,
    OptimizationConfig,
    TrainingConfig,
    WeightDecay,
)

Selection = Literal["auto", "best", "last"]


class PseudoLabelsConfig(LabelRefinementConfig):
    """Pseudo labels: a label for every pixel, from the propagated CAMs."""

    threshold: Annotated[
        float,
        Field(
            ge=0, le=1, description="a pixel is background where its propagated CAM values are at most this"
        ),
    ] = 0.3
    iterations: Iterations = 1
    vote: Annotated[
        Literal["none", "max_iou", "max_iou_imp", "max_iou_imp2", "fma", "sams"],
        Field(
            description="what the `regions` of an image do: `max_iou`, `max_iou_imp` and `max_iou_imp2` "
            "(SEPL, Chen et al., 2023) and `fma` (Yang and Gong, 2024) give a region the class of most of "
            "its pixels; `sams` (FMA) labels regions by the propagated CAMs alone, without `threshold` and "
            "refinement"
        ),
    ] = "none"
    power: Annotated[
        float,
        Field(gt=0, description="exponent of the background's score of a region; FMA chose 0.6 on masks"),
        ReadWhen("vote", ("sams",)),
    ] = 1.0
    gt_prob: Annotated[GtProb, ReadWhen("refine", ("crf",))] = 0.9
    corrections: Annotated[
        Path | None,
        Field(
            description="directory of corrected label maps, <id>.png, that replace the pseudo labels of "
            "their images; `wsss corrections import` writes it"
        ),
    ] = None


class SegmentationNetworkConfig(NetworkConfig):
    """DeepLabV3+ (Chen et al., 2018), or a linear layer on a frozen backbone."""

    head_norm: Annotated[
        Literal["group", "batch"],
        Field(description="normalization of the new layers: group norm with 4 groups, or batch norm"),
        ReadWhen("kind", ("deeplab",)),
    ] = "group"
    kind: Annotated[
        Literal["deeplab", "linear"],
        Field(
            description="`deeplab`: DeepLabV3+; `linear`: one linear layer on the last feature of the "
            "backbone, which is frozen whatever `freeze` and `norm` say"
        ),
    ] = "deeplab"

    @property
    def single_image_remedies(self) -> dict[str, str]:
        if self.kind == "linear":
            return {}
        head = {"head_norm": "group"} if self.head_norm == "batch" else {}
        return super().single_image_remedies | head


class SegmentationOptimizationConfig(OptimizationConfig):
    """As published in 2023: 50 epochs of plain SGD."""

    lr: LearningRate = 0.007
    weight_decay: WeightDecay = 4e-5
    epochs: Epochs = 50


class SegmentationCropConfig(ColorCropConfig):
    """As published in 2023: strong random resizing, no color augmentation."""

    min_side: MinSide = 256
    max_side: MaxSide = 1024
    color: Color = ()


class SegmentationTrainingConfig(TrainingConfig):
    """Training of DeepLabV3+."""

    network: SegmentationNetworkConfig = SegmentationNetworkConfig()
    optimisation: SegmentationOptimizationConfig = SegmentationOptimizationConfig()
    augmentation: SegmentationCropConfig = SegmentationCropConfig()
    label_smoothing: Annotated[
        float,
        Field(ge=0, lt=1, description="label smoothing: share of the target spread evenly over all classes"),
    ] = 0.0
    selection: Annotated[
        Selection,
        Field(
            description="epoch whose network is saved: `last`; `best` by the mIoU on the labels of `val`, "
            "which are pseudo labels unless `segmentation.labels` is ground_truth; `auto`: `best` where "
            "`val` has such labels, else `last`",
        ),
    ] = "auto"
    evaluate_every: Annotated[int, Field(ge=1, description="`best`: epochs between two validations")] = 1


class MaskCrfConfig(Section):
    """The dense CRF over the network's probabilities."""

    iterations: Iterations = 10
    kind: Annotated[
        Literal["deeplab", "mixed"],
        Field(
            description="`deeplab`: kernels of DeepLab-v2; `mixed`: probabilities mixed with a uniform "
            "distribution, as published in 2023",
        ),
    ] = "deeplab"
    gt_prob: Annotated[
        float,
        Field(gt=0, lt=1, description="`mixed`: weight of the network's probabilities in the mixture"),
        ReadWhen("kind", ("mixed",)),
    ] = 0.7


class MasksConfig(TestTimeConfig):
    """Inference of the segmentation network with test-time augmentation."""

    crf: MaskCrfConfig = MaskCrfConfig()


class SegmentationConfig(Section):
    """Pseudo labels, the segmentation network, and its masks."""

    labels: Annotated[
        Literal["pseudo", "ground_truth"],
        Field(
            description="labels that the network is trained on: `pseudo` labels, or the data set's own masks "
            "(`ground_truth`), as an upper bound; the run then has no earlier stage but the index",
        ),
    ] = "pseudo"
    pseudo: PseudoLabelsConfig = PseudoLabelsConfig()
    training: SegmentationTrainingConfig = SegmentationTrainingConfig()
    masks: MasksConfig = MasksConfig()
