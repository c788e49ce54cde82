"""P-OC (David et al., 2024): Puzzle-CAM and OC-CSE together, with a frozen ordinary classifier."""

from wsss.training.task import Objective
from wsss.training.tasks.prior import Forward, PriorTask


class Poc(PriorTask):
    """`L = L_puzzle + λ_cse · ℓ_cls(OC(x erased), y without r)`."""

    def objective(self, forward: Forward) -> Objective:
        """Classification, reconstruction and erasing."""
        objective = super().objective(forward)
        self.add_puzzle(objective, forward)
        self.add_erasing(objective, forward)
        return objective
