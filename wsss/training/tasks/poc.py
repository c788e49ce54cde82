"""P-OC (David et al., 2024): Puzzle-CAM and OC-CSE together, with a frozen ordinary classifier."""

from wsss.training.task import Objective
from wsss.training.tasks.prior import PriorTask, View


class Poc(PriorTask):
    """`L = L_puzzle + λ_cse · ℓ_cls(OC(x erased), y without r)`."""

    def objective(self, view: View) -> Objective:
        """Classification, reconstruction and erasing."""
        objective = super().objective(view)
        self.add_puzzle(objective, view)
        self.add_erasing(objective, view)
        return objective
