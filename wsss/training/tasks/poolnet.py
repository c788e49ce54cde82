"""PoolNet (Liu et al., CVPR 2019): saliency from masks."""

from collections.abc import Iterator

import torch
from torch import Tensor

from wsss import losses
from wsss.config import PoolnetConfig
from wsss.models import PoolNet
from wsss.training.task import Batch, Objective, StepInfo, Task, Trainable


class PoolnetTask(Task):
    """Binary cross-entropy with the masks. settings: the section `saliency.poolnet`."""

    result = "poolnet"

    def __init__(self, network: PoolNet, settings: PoolnetConfig) -> None:
        self.network = network
        norm = settings.optimisation.max_grad_norm
        self.trainables = {"poolnet": Trainable(network, network.head_modules(), max_grad_norm=norm)}

    def objectives(self, batch: Batch, info: StepInfo) -> Iterator[Objective]:
        """One objective. Images of several sizes, which do not stack, pass one by one."""
        images, masks = batch["image"], batch["mask"]
        stacks = [(images, masks)]
        if not isinstance(images, Tensor):
            stacks = [(image[None], mask[None]) for image, mask in zip(images, masks, strict=True)]
        terms = [losses.saliency_loss(self.network(image), mask) for image, mask in stacks]
        yield Objective("poolnet").add("saliency", torch.stack(terms).mean())
