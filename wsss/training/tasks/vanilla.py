"""Vanilla CAMs: plain classification (Zhou et al., CVPR 2016)."""

from wsss.config import OcConfig, PriorsConfig
from wsss.training.tasks.prior import PriorTask


class Vanilla(PriorTask):
    """`L = ℓ_cls(z, y)`; the ordinary classifier is trained in the same way."""


def vanilla_settings(section: OcConfig) -> PriorsConfig:
    """The section of an ordinary classifier as one of the priors."""
    return PriorsConfig.model_validate({**section.model_dump(), "method": "vanilla"})
