"""PoolNet (Liu et al., CVPR 2019): saliency from masks."""

from collections.abc import Iterator, Sequence

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
        """One objective, the mean over the images. Those of one size pass together, as they stack."""
        images, masks = batch["image"], batch["mask"]
        objective = Objective("poolnet")
        if isinstance(images, Tensor):
            objective.add("saliency", losses.saliency_loss(self.network(images), masks))
        else:
            stacks = _of_one_size(images, masks)
            terms = [losses.saliency_loss(self.network(image), mask) * len(image) for image, mask in stacks]
            objective.add("saliency", torch.stack(terms).sum() / len(images))
        yield objective


def _of_one_size(images: Sequence[Tensor], masks: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Images (3, H, W) and masks (1, H, W) of several sizes, stacked by size."""
    by_size: dict[torch.Size, list[int]] = {}
    for position, image in enumerate(images):
        by_size.setdefault(image.shape, []).append(position)
    return [
        (torch.stack([images[i] for i in positions]), torch.stack([masks[i] for i in positions]))
        for positions in by_size.values()
    ]
