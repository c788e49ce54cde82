"""Training samples of an image and a map that belongs to it: hints, masks, label maps.

As `wsss.data.samples`: a pure function of (seed, epoch, image).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from wsss.data.images import read_image
from wsss.data.index import Index
from wsss.data.samples import sample_rng
from wsss.errors import UserError
from wsss.store.label_maps import LabelShard


class StoredMaps:
    """Gives an image's map, uint8 (H, W), by its id. shards: by image id, the one that holds it."""

    def __init__(self, shards: Mapping[str, LabelShard]) -> None:
        self.shards = shards

    def __call__(self, image_id: str) -> np.ndarray:
        return self.shards[image_id][image_id]


class PairedImages(Dataset[dict[str, Any]]):
    """Images and their maps, transformed alike for training.

    `dataset[epoch, position]` is a dict of `image` and `name` (what `transform` makes of the RGB image and of
    the map) and `id`.

    maps: gives an image's map (H, W) by its id; it is sent to the processes that load. name: of the map in a
    sample. Raises UserError, when asked for it, for an image that does not decode or whose map has another
    size.
    """

    def __init__(
        self,
        index: Index,
        maps: Callable[[str], np.ndarray],
        transform: Callable[[Image.Image, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]],
        *,
        name: str,
        seed: int,
    ) -> None:
        self.ids = [record.id for record in index]
        self.paths = [record.image for record in index]
        self.maps, self.transform, self.name, self.seed = maps, transform, name, seed

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, position = key
        image_id = self.ids[position]
        image, values = read_image(self.paths[position]), self.maps(image_id)
        if values.shape != (image.height, image.width):
            found = f"{values.shape[1]} x {values.shape[0]}"
            raise UserError(
                f"{image_id}: {self.name} of {found} pixels, but {self.paths[position]} has "
                f"{image.width} x {image.height}; make the {self.name}s again"
            )
        pixels, changed = self.transform(image, values, sample_rng(self.seed, epoch, image_id))
        return {"image": torch.from_numpy(pixels), self.name: torch.from_numpy(changed), "id": image_id}
