"""CLIP-ES as a network that gives CAMs: it takes the place of a trained generator."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from wsss.errors import UserError
from wsss.inference.attention_refinement import min_max
from wsss.inference.clip_cams import clip_es
from wsss.store.cams import ALIGNMENT
from wsss.store.text import TextVectors


class ClipCamNetwork:
    """Images as bytes in, refined maps of the wanted classes out; float32, one image at a time.

    tower: the image tower (`wsss.models.clip`). text: of the tower's space. flip: add the maps of the mirror
    image.
    """

    def __init__(self, tower: nn.Module, text: TextVectors, device: torch.device, *, flip: bool) -> None:
        self.tower = tower.to(device).eval()
        self.device, self.flip = device, flip
        self.vectors, self.background = torch.from_numpy(text.vectors), torch.from_numpy(text.background)
        self.logit_scale = text.logit_scale

    def loading(self, batch: int, workers: int) -> tuple[int, int]:
        """Images per stack, and processes that load them, of those asked for (as `DeviceNetwork`)."""
        return (1, 0) if self.device.type == "cpu" else (batch, workers)

    def __call__(self, images: Tensor, channels: list[list[int]], what: str) -> list[np.ndarray]:
        """Maps (classes, ⌈h/16⌉, ⌈w/16⌉) of each of the uint8 images (B, h, w, 3), in 0..1 or 0..2.

        channels: per image, the classes it holds, which compete with each other and the background words.
        Cells cover 16 pixels from the top left on, as a generator's do, whereas CLIP-ES stretches an image to
        whole patches: maps are resampled. Raises UserError, calling the images `what`, when one
        does not fit into a GPU's memory or a map is not finite.
        """
        pixels = images.cpu().numpy()
        try:
            maps = [self._maps(image, classes) for image, classes in zip(pixels, channels, strict=True)]
        except torch.OutOfMemoryError:
            raise UserError(
                f"{what}: too large for the memory of {self.device}; use smaller cams.scales or the CPU"
            ) from None
        if not all(np.isfinite(array).all() for array in maps):
            raise UserError(f"{what}: a CAM is not finite; check the weights of the image tower")
        return maps

    def _maps(self, image: np.ndarray, classes: list[int]) -> np.ndarray:
        text = torch.cat([self.vectors[classes], self.background])
        total: Any = 0
        for mirrored in (False, True)[: 1 + self.flip]:
            seen = np.ascontiguousarray(image[:, ::-1]) if mirrored else image
            refined = clip_es(self.tower, seen, text, self.logit_scale, classes=len(classes)).refined
            maps = min_max(torch.from_numpy(refined))
            total = total + (maps.flip(-1) if mirrored else maps)
        return unstretched(total, (image.shape[0], image.shape[1])).numpy()


def unstretched(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (K, h, w) that cover an image of `size`, resampled to cells of 16 pixels: (K, ⌈H/16⌉, ⌈W/16⌉)."""
    height, width = (math.ceil(side / ALIGNMENT) for side in size)
    if not len(maps):
        return maps.new_zeros(0, height, width)
    rows, columns = (
        (2 * torch.arange(cells) + 1) * ALIGNMENT / side - 1
        for cells, side in zip((height, width), size, strict=True)
    )
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    return grid_sample(maps[None], grid[None].to(maps), padding_mode="border", align_corners=False)[0]
