"""Vanilla CAMs: a classifier that learns to classify, and nothing else (Zhou et al., CVPR 2016)."""

from wsss.training.tasks.prior import PriorTask


class Vanilla(PriorTask):
    """`L = ℓ_cls(z, y)`: also how the ordinary classifier is trained."""
