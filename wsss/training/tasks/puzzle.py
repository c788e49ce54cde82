"""Puzzle-CAM (Jo and Yu, ICIP 2021): the maps of the pieces match those of the whole image."""

from wsss.training.task import Objective
from wsss.training.tasks.prior import Forward, PriorTask


class Puzzle(PriorTask):
    """`L = ℓ_cls(z, y) + ℓ_cls(z_tiles, y) + λ_re · |A - A_tiles|`, Puzzle-CAM eq. 5."""

    def objective(self, forward: Forward) -> Objective:
        """Classification, of the pieces too, and reconstruction."""
        objective = super().objective(forward)
        self.add_puzzle(objective, forward)
        return objective
