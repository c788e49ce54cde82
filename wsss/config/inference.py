"""What several stages without a training share: test-time augmentation, dense CRF, threshold sweeps."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from wsss.config.section import Fault, ReadWhen, Section, repeated
from wsss.config.training import Precision

# Keys whose default another section changes.
Scales = Annotated[
    tuple[Annotated[float, Field(gt=0, le=4)], ...],
    Field(min_length=1, description="scales of the test-time augmentation, as multiples of the image's size"),
]
Flip = Annotated[bool, Field(description="test-time augmentation with the horizontally flipped image")]
Iterations = Annotated[int, Field(ge=0, description="mean-field iterations of the dense CRF; 0: no CRF")]
GtProb = Annotated[
    float,
    Field(
        gt=0.5,
        lt=1,
        description="probability that the CRF assigns to the initial label; above 1/labels, which is 0.5 for "
        "one class and background: below, the CRF would prefer the other labels",
    ),
]
ThresholdTo = Annotated[float, Field(ge=0, le=1, description="largest background threshold of the sweep")]


class TestTimeConfig(Section):
    """Inference with test-time augmentation."""

    scales: Scales = (0.5, 1.0, 1.5, 2.0)
    flip: Flip = True
    precision: Precision = "float32"

    def faults(self) -> Iterable[Fault]:
        yield from repeated("scales", self.scales)


class CamsConfig(TestTimeConfig):
    """Inference of CAMs with test-time augmentation."""

    shards: Annotated[
        int, Field(ge=1, le=999, description="number of shards (files and jobs) that a split is divided into")
    ] = 16
    refine: Annotated[
        Literal["none", "attention"],
        Field(
            description="`attention`: the maps of each scale are refined along the backbone's own attention "
            "(CLIP-ES, Lin et al., 2023), which takes a vision transformer"
        ),
    ] = "none"


class LabelCrfConfig(Section):
    """The dense CRF over hard labels (`wsss.crf.refine_labels`)."""

    iterations: Iterations = 10
    gt_prob: GtProb = 0.7


class LabelRefinementConfig(LabelCrfConfig):
    """What draws label maps to the edges of the image: the dense CRF, or pixel-adaptive refinement."""

    refine: Annotated[
        Literal["crf", "pamr", "par"],
        Field(
            description="`crf`: dense CRF over hard labels; `pamr` (Araslanov and Roth, 2020) and `par` (Ru "
            "et al., 2022): averages of the scores over neighbors of similar color, `iterations` times; "
            "published: 10"
        ),
    ] = "crf"
    gt_prob: Annotated[GtProb, ReadWhen("refine", ("crf",))] = 0.7


class EvaluationConfig(Section):
    """The sweep over background thresholds that CAMs are scored with (published: 0.05 to 0.80)."""

    threshold_from: Annotated[
        float, Field(ge=0, le=1, description="smallest background threshold of the sweep")
    ] = 0.05
    threshold_to: ThresholdTo = 0.8
    threshold_step: Annotated[
        float, Field(ge=0.001, le=1, description="distance between two background thresholds")
    ] = 0.05

    def faults(self) -> Iterable[Fault]:
        if self.threshold_from > self.threshold_to:
            yield Fault("threshold_from", f"at most threshold_to, which is {self.threshold_to}")

    @property
    def thresholds(self) -> tuple[float, ...]:
        """All thresholds, ascending; the last is `threshold_to` if it is a whole number of steps away."""
        steps = int((self.threshold_to - self.threshold_from) / self.threshold_step + 1e-6)
        return tuple(round(self.threshold_from + step * self.threshold_step, 6) for step in range(steps + 1))
