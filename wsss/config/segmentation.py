"""The last stage: a segmentation network that learns from the walked CAMs as if they were annotations.

Published values: P-NOC's first release (2023), which its README describes; of its inference, the later one's.
"""

from typing import Literal

from pydantic import Field

from wsss.config.inference import LabelCrfConfig, TestTimeConfig
from wsss.config.section import Section
from wsss.config.training import Color, ColorCropConfig, NetworkConfig, OptimizationConfig

Selection = Literal["auto", "best", "last"]


class PseudoLabelsConfig(LabelCrfConfig):
    """From the walked CAMs to a label for every pixel."""

    threshold: float = Field(0.3, ge=0, le=1, description="greatest walk value that is background")
    iterations: int = Field(1, ge=0, description="mean-field steps of the dense CRF; 0: none")
    gt_prob: float = Field(0.9, gt=0, lt=1, description="how far the CRF trusts the label it is given")


class SegmentationNetworkConfig(NetworkConfig):
    """DeepLabV3+ (Chen et al., 2018)."""

    head_norm: Literal["group", "batch"] = Field(
        "group", description="normalisation of the new layers: in 4 groups of channels, or over the batch"
    )


class SegmentationOptimizationConfig(OptimizationConfig):
    """As published in 2023: 50 epochs of plain SGD."""

    lr: float = Field(0.007, gt=0, description="learning rate of pretrained weights at the first step")
    weight_decay: float = Field(4e-5, ge=0, description="weight decay")
    epochs: int = Field(50, ge=1, description="passes over the training images")


class SegmentationCropConfig(ColorCropConfig):
    """As published in 2023: small and large, no change of colours."""

    min_side: int = Field(256, ge=16, description="random resizing: least length of the longer side, px")
    max_side: int = Field(1024, ge=16, description="random resizing: greatest length of the longer side, px")
    color: Color = ()


class SegmentationTrainingConfig(Section):
    """Training of DeepLabV3+."""

    network: SegmentationNetworkConfig = SegmentationNetworkConfig()
    optimisation: SegmentationOptimizationConfig = SegmentationOptimizationConfig()
    augmentation: SegmentationCropConfig = SegmentationCropConfig()
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of a pixel's target that is spread evenly over all classes"
    )
    selection: Selection = Field(
        "auto",
        description="the network that is kept: of the `last` epoch, of the `best` on the labels of `val` - "
        "pseudo labels, unless `labels` is ground_truth - or `auto`: best where `val` has such labels",
    )
    evaluate_every: int = Field(1, ge=1, description="`best`: epochs between two looks at `val`")


class MaskCrfConfig(Section):
    """The dense CRF over the network's probabilities."""

    iterations: int = Field(10, ge=0, description="mean-field steps of the dense CRF; 0: none")
    kind: Literal["deeplab", "mixed"] = Field(
        "deeplab",
        description="`deeplab`: DeepLab-v2's kernels; `mixed`: probabilities mixed with a uniform guess, as "
        "published in 2023",
    )
    gt_prob: float = Field(0.7, gt=0, lt=1, description="`mixed`: part of the probabilities in the mixture")

    def unread(self) -> frozenset[str]:
        return frozenset({"gt_prob"} if self.kind == "deeplab" else ())


class MasksConfig(TestTimeConfig):
    """Inference of the segmentation network with test-time augmentation."""

    crf: MaskCrfConfig = MaskCrfConfig()


class SegmentationConfig(Section):
    """Pseudo labels, the network that learns from them, and its masks."""

    labels: Literal["pseudo", "ground_truth"] = Field(
        "pseudo",
        description="what the network learns from: `pseudo` labels, or the data set's own masks, for the "
        "upper bound; then the run has no other stage before",
    )
    pseudo: PseudoLabelsConfig = PseudoLabelsConfig()
    training: SegmentationTrainingConfig = SegmentationTrainingConfig()
    masks: MasksConfig = MasksConfig()
