"""OC-CSE (Kweon et al., ICCV 2021): with a class erased, the OC must see the other classes only."""

from wsss.training.task import Objective
from wsss.training.tasks.prior import Forward, PriorTask


class OcCse(PriorTask):
    """`L = ℓ_cls(z, y) + λ_cse · ℓ_cls(OC(x erased), y without r)`; the OC is frozen."""

    def objective(self, forward: Forward) -> Objective:
        """Classification and class-specific erasing."""
        objective = super().objective(forward)
        self.add_erasing(objective, forward)
        return objective
