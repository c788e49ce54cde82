"""CAMs of a few fixed images, drawn after each epoch of a training (`machine.pictures`)."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.figures.image_sheet import evenly
from wsss.figures.overlay import heat, legend
from wsss.figures.sheet import Row, resize, size_within, write_sheet
from wsss.models import Classifier
from wsss.training.job import TrainJob

#: images on a sheet, the longest side of one picture, px, and classes that are drawn of an image
SHOWN, SIDE, CLASSES = 8, 160, 2


class CamPictures:
    """Draws a sheet of the same images each time: photograph, and the CAMs of its first classes.

    index: of the training images, of which a few are drawn, spread evenly. job: of the training; the sheets
    are `pictures/epoch-003.png` among its curves.
    """

    def __init__(self, index: Index, job: TrainJob) -> None:
        self.index, self.directory, self.name = index, job.curves / "pictures", job.name
        self.records = evenly(index, SHOWN)

    @torch.no_grad()
    def __call__(self, network: nn.Module, epoch: int) -> Path:
        """Draw the CAMs of a network, in evaluation mode, after an epoch; returns the sheet's path."""
        assert isinstance(network, Classifier)
        path = self.directory / f"epoch-{epoch:03d}.png"
        write_sheet(
            path,
            [self._row(network, record) for record in self.records],
            side=SIDE,
            title=f"{self.name}: CAMs after epoch {epoch}",
            headings=("image", "CAM of its first class", "of its second"),
            legend=legend(self.index, ()),
        )
        return path

    def _row(self, network: Classifier, record: Record) -> Row:
        pixels = np.asarray(read_image(record.image))
        device = next(network.parameters()).device
        _, cams = network.forward_cam(network.normalization(pixels)[None].to(device))
        size = size_within((pixels.shape[0], pixels.shape[1]), SIDE)
        small = resize(pixels, size)
        maps = cams[0, [self.index.classes.index(name) for name in record.labels[:CLASSES]]].relu()
        normalized = (maps / maps.amax(dim=(1, 2), keepdim=True).clamp_min(1e-5)).float().cpu().numpy()
        drawn = [heat(small, resize(values, size)) for values in normalized]
        blank = [np.full_like(small, 255)] * (CLASSES - len(drawn))
        return Row(f"{record.id}: {', '.join(record.labels)}", [small, *drawn, *blank])
