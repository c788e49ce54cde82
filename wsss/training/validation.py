"""How a segmentation network does on images that it does not learn from, while it is trained.

Whole images at their own size, once: the published code looks at a square in the upper left corner, which
leaves out a part of every photograph.
"""

import multiprocessing
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from wsss.data.images import read_image
from wsss.data.index import Index
from wsss.machine import distributed
from wsss.machine.precision import autocast
from wsss.machine.signals import outlive_signals, started
from wsss.metrics import ConfusionMatrix
from wsss.models import Network, Normalization
from wsss.progress import track


class Validation:
    """Scores a network, on its device and in evaluation mode, against label maps; each process its part.

    index: of the images. maps: gives an image's label map (H, W) by its id; 255 does not count. precision:
    as `autocast`. workers: processes that load images.
    """

    def __init__(
        self,
        index: Index,
        maps: Callable[[str], np.ndarray],
        *,
        device: torch.device,
        precision: str,
        workers: int,
        progress: bool,
    ) -> None:
        self.index, self.maps, self.device, self.precision = index, maps, device, precision
        self.workers, self.progress = workers, progress

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """`val/miou`, in percent, over the images of all processes."""
        assert isinstance(network, Network)
        confusion = ConfusionMatrix(len(self.index.classes) + 1)
        part = self.index.shard(distributed.rank(), distributed.world())
        images = _WholeImages(part, self.maps, network.normalization)
        over = multiprocessing.Event()
        loader = DataLoader(
            images,
            batch_size=None,
            num_workers=self.workers,
            worker_init_fn=partial(outlive_signals, over),
        )
        shown = self.progress and distributed.rank() == 0
        try:
            for image, labels in track(
                started(loader), label=f"looking at {part.split}", total=len(part), enabled=shown
            ):
                with autocast(self.device, self.precision):
                    logits = network(image[None].to(self.device))
                confusion.update(logits[0].argmax(0).cpu().numpy(), labels.numpy())
        finally:
            over.set()
        counts = torch.from_numpy(confusion.counts).to(self.device)
        whole = ConfusionMatrix(confusion.num_classes, distributed.total(counts).cpu().numpy())
        return {"val/miou": 100 * whole.miou()}


class _WholeImages(Dataset[tuple[Tensor, Tensor]]):
    """A normalised image (3, H, W) and its label map (H, W)."""

    def __init__(self, index: Index, maps: Callable[[str], np.ndarray], normalise: Normalization) -> None:
        self.records, self.maps, self.normalise = index.records, maps, normalise

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        record = self.records[position]
        pixels = np.asarray(read_image(record.image))
        return self.normalise(pixels), torch.from_numpy(self.maps(record.id))
