"""One of each network of the system, on a backbone by name."""

from collections.abc import Callable

from torch import nn

from wsss.models import C2AM, AffinityNet, Classifier, DeepLabV3Plus, PoolNet

NETWORKS: dict[str, Callable[[str], nn.Module]] = {
    "classifier": lambda backbone: Classifier(backbone, 3),
    "c2am": C2AM,
    "affinitynet": AffinityNet,
    "deeplab": lambda backbone: DeepLabV3Plus(backbone, 4),
    "poolnet": PoolNet,
}
