"""OC-CSE (Kweon et al., ICCV 2021): what is left after erasing a class must not show that class."""

from wsss.training.task import Objective
from wsss.training.tasks.prior import PriorTask, View


class OcCse(PriorTask):
    """`L = ℓ_cls(z, y) + λ_cse · ℓ_cls(OC(x erased), y without r)`; the OC stays as it is."""

    def objective(self, view: View) -> Objective:
        """Classification and class-specific erasing."""
        objective = super().objective(view)
        self.add_erasing(objective, view)
        return objective
