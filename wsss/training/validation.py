"""The score of a segmentation network during its training, on images that it is not trained on.

Whole images at their own size, once: the published code crops a square in the upper left corner, which leaves
out a part of every photograph.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from wsss.config import MachineConfig
from wsss.data.images import read_image
from wsss.machine import distributed
from wsss.machine.loading import loading
from wsss.machine.precision import autocast, precision_on
from wsss.metrics import ConfusionMatrix
from wsss.models import Network, Normalization
from wsss.progress import track
from wsss.training.samples import Supervision


class Validation:
    """Scores a network, on its device and in evaluation mode, against label maps; each process its part.

    images: with their label maps; 255 does not count. precision: as `precision_on`. machine: processes that
    load images, and whether progress is shown.
    """

    def __init__(self, images: Supervision, precision: str, machine: MachineConfig) -> None:
        self.images, self.precision, self.machine = images, precision, machine

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """`val/miou`, in percent, over the images of all processes."""
        assert isinstance(network, Network)
        index, device = self.images.index, next(network.parameters()).device
        precision = precision_on(device, self.precision)
        confusion = ConfusionMatrix(len(index.classes) + 1)
        part = Supervision(index.shard(distributed.rank(), distributed.world()), self.images.maps)
        samples = _WholeImages(part, network.normalization)
        shown = self.machine.progress and distributed.rank() == 0
        with loading(samples, self.machine.workers, batch_size=None) as loaded:
            for image, labels in track(
                loaded, label=f"validation on {index.split}", total=len(samples), enabled=shown
            ):
                with autocast(device, precision):
                    logits = network(image[None].to(device))
                confusion.update(logits[0].argmax(0).cpu().numpy(), labels.numpy())
        counts = torch.from_numpy(confusion.counts).to(device)
        whole = ConfusionMatrix(confusion.num_classes, distributed.total(counts).cpu().numpy())
        return {"val/miou": 100 * whole.miou()}


class _WholeImages(Dataset[tuple[Tensor, Tensor]]):
    """A normalized image (3, H, W) and its label map (H, W)."""

    def __init__(self, images: Supervision, normalize: Normalization) -> None:
        self.records, self.maps, self.normalize = images.index.records, images.maps, normalize

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        record = self.records[position]
        pixels = np.asarray(read_image(record.image))
        return self.normalize(pixels), torch.from_numpy(self.maps(record.id))
