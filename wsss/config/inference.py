"""What several stages that train nothing have in common: test-time augmentation, dense CRF, sweeps."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from wsss.config.section import Fault, Section, repeated
from wsss.config.training import Precision

Scales = Annotated[
    tuple[Annotated[float, Field(gt=0, le=4)], ...],
    Field(min_length=1, description="sizes that each image is seen at, as multiples of its own"),
]


class TestTimeConfig(Section):
    """Inference with test-time augmentation."""

    scales: Scales = (0.5, 1.0, 1.5, 2.0)
    flip: bool = Field(True, description="see each image mirrored, too")
    precision: Precision = "float32"

    def faults(self) -> Iterable[Fault]:
        yield from repeated("scales", self.scales)


class CamsConfig(TestTimeConfig):
    """Inference of CAMs with test-time augmentation."""

    shards: int = Field(16, ge=1, le=999, description="files, and jobs, that a split's CAMs are divided into")


class LabelCrfConfig(Section):
    """The dense CRF over hard labels (`wsss.crf.refine_labels`)."""

    iterations: int = Field(10, ge=0, description="mean-field steps of the dense CRF; 0: none")
    gt_prob: float = Field(0.7, gt=0, lt=1, description="how far the CRF trusts the label it is given")


class EvaluationConfig(Section):
    """The sweep over background thresholds that CAMs are scored with (published: 0.05 to 0.80)."""

    threshold_from: float = Field(0.05, ge=0, le=1, description="least background score")
    threshold_to: float = Field(0.8, ge=0, le=1, description="greatest background score")
    threshold_step: float = Field(0.05, ge=0.001, le=1, description="distance of two background scores")

    def faults(self) -> Iterable[Fault]:
        if self.threshold_from > self.threshold_to:
            yield Fault("threshold_from", f"at most threshold_to, which is {self.threshold_to}")

    @property
    def thresholds(self) -> tuple[float, ...]:
        """All background scores of the sweep, ascending; the last is `threshold_to` if the steps meet it."""
        steps = int((self.threshold_to - self.threshold_from) / self.threshold_step + 1e-6)
        return tuple(round(self.threshold_from + step * self.threshold_step, 6) for step in range(steps + 1))
