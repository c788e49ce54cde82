"""AffinityNet (IRNet, Ahn et al., CVPR 2019): an edge where the class changes, and nowhere else."""

from collections.abc import Iterator

from wsss import losses
from wsss.config import AffinityTrainingConfig
from wsss.machine import distributed
from wsss.models import AffinityNet
from wsss.training.task import Batch, Objective, StepInfo, Task, Trainable


class AffinityTask(Task):
    """Affinity of pairs of pixels, high within a class: one minus the strongest edge on their line.

    network: returns edge logits. settings: the section `affinity.training`.
    """

    result = "affinity"

    def __init__(self, network: AffinityNet, settings: AffinityTrainingConfig) -> None:
        self.network, self.radius = network, settings.radius
        norm = settings.optimisation.max_grad_norm
        self.trainables = {"affinity": Trainable(network, network.head_modules(), max_grad_norm=norm)}

    def objectives(self, batch: Batch, info: StepInfo) -> Iterator[Objective]:
        """One objective; its means are over the pairs of the whole batch, of all processes."""
        edges = self.network(batch["image"]).float().sigmoid()
        pairs = losses.pair_labels(batch["label_map"], self.radius)
        counts = distributed.mean(pairs.counts())
        affinities = losses.pair_affinities(edges, self.radius)
        yield Objective("affinity").add("affinity", losses.affinity_loss(affinities, pairs, counts))
