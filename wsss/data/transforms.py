"""From an image (and the map that belongs to it) to the arrays a network is trained on.

Every training shares one geometry: resize, flip, cut a square, place it on a canvas. It is drawn once per
sample and applied to the image and to its map alike, so the two cannot drift apart. Colors change between
the resizing and the cut, as in the published code; normalization is per pixel, hence done on the cut alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image
from torch import Tensor

from wsss.data.augment import augment, check_augmentations
from wsss.errors import UserError
from wsss.metrics import IGNORE

Resampling = Image.Resampling

#: the affinity network predicts at a quarter of the image's resolution
AFFINITY_STRIDE = 4


@dataclass(frozen=True)
class Geometry:
    """Where one sample's pixels go. All in pixels, pairs are (horizontal, vertical)."""

    size: tuple[int, int]
    flip: bool
    #: corner of the cut in the resized image, its extent, and its corner on the canvas
    source: tuple[int, int]
    extent: tuple[int, int]
    target: tuple[int, int]
    #: side of the square canvas
    crop: int

    def resize(self, image: Image.Image, resampling: Resampling) -> Image.Image:
        """Resize and flip."""
        image = image.resize(self.size, resampling)
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self.flip else image

    def cut(self, image: Image.Image) -> np.ndarray:
        """The part of a resized image that is kept: (h, w) or (h, w, 3), at most crop x crop."""
        (left, top), (width, height) = self.source, self.extent
        return np.asarray(image)[top : top + height, left : left + width]

    def window(self, canvas: np.ndarray) -> np.ndarray:
        """The view of a canvas (..., crop, crop) on which the cut lies."""
        (left, top), (width, height) = self.target, self.extent
        return canvas[..., top : top + height, left : left + width]

    def place(self, values: np.ndarray, resampling: Resampling, padding: float) -> np.ndarray:
        """Take a map (H, W) of the image along: (crop, crop) of the same type, `padding` around it."""
        canvas = np.full((self.crop, self.crop), padding, values.dtype)
        self.window(canvas)[...] = self.cut(self.resize(Image.fromarray(values), resampling))
        return canvas


def draw_geometry(
    rng: np.random.Generator, size: tuple[int, int], *, min_size: int, max_size: int, crop: int
) -> Geometry:
    """Draw a geometry for an image of `size` (width, height).

    The long side becomes U{min_size .. max_size}, the aspect is kept; where the two bounds are equal the
    image becomes a square of that side instead. Half of the images are flipped. Along each axis a longer
    image is cut at a random place, and a shorter one lies at a random place of the canvas.
    """
    long_side = int(rng.integers(min_size, max_size + 1))
    if min_size == max_size:
        width = height = long_side
    else:
        scale = long_side / max(size)
        width, height = (max(1, round(side * scale)) for side in size)
    flip = bool(rng.random() < 0.5)
    source_x, extent_x, target_x = _draw_cut(rng, width, crop)
    source_y, extent_y, target_y = _draw_cut(rng, height, crop)
    return Geometry(
        (width, height), flip, (source_x, source_y), (extent_x, extent_y), (target_x, target_y), crop
    )


def _draw_cut(rng: np.random.Generator, side: int, crop: int) -> tuple[int, int, int]:
    place = int(rng.integers(abs(side - crop) + 1))
    return (place, crop, 0) if side > crop else (0, side, place)


@dataclass(frozen=True)
class TrainingTransform:
    """What the trainings' transforms share: bounds of the long side, crop, normalization, augmentations.

    crop: side of the result in pixels. mean, std: of RGB / 255, and order: of the result's channels, as the
    pretrained weights ask. augment: names of wsss.data.augment.AUGMENTATIONS. Raises UserError for an unknown
    augmentation or bounds out of order.
    """

    crop: int
    min_size: int
    max_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    augment: tuple[str, ...] = ()
    resampling: Resampling = Resampling.BICUBIC
    order: Literal["rgb", "bgr"] = "rgb"

    def __post_init__(self) -> None:
        check_augmentations(self.augment)
        if not 1 <= self.min_size <= self.max_size:
            raise UserError(
                f"min_size {self.min_size}, max_size {self.max_size}: must be 1 <= min_size <= max_size"
            )
        if self.crop < 1:
            raise UserError(f"crop {self.crop}: must be 1 or more")

    def geometry(self, image: Image.Image, rng: np.random.Generator) -> Geometry:
        """Draw this sample's geometry."""
        return draw_geometry(rng, image.size, min_size=self.min_size, max_size=self.max_size, crop=self.crop)

    def image(self, image: Image.Image, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
        """The network's input: float32 (3, crop, crop), normalized; 0 (the mean color) around."""
        resized = augment(geometry.resize(image, self.resampling), self.augment, rng)
        canvas = np.zeros((3, self.crop, self.crop), np.float32)
        window = geometry.window(canvas)
        scale = 1 / (255 * np.asarray(self.std, np.float32))
        shift = np.asarray(self.mean, np.float32) / np.asarray(self.std, np.float32)
        np.multiply(geometry.cut(resized).transpose(2, 0, 1), scale[:, None, None], out=window)
        window -= shift[:, None, None]
        return canvas if self.order == "rgb" else np.ascontiguousarray(canvas[::-1])


class ClassificationTransform(TrainingTransform):
    """Training of the priors: the image alone."""

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> np.ndarray:
        """RGB image -> float32 (3, crop, crop)."""
        return self.image(image, self.geometry(image, rng), rng)


class SegmentationTransform(TrainingTransform):
    """Training of the segmentation network: image and label map."""

    def __call__(
        self, image: Image.Image, mask: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """RGB image and uint8 (H, W) -> float32 (3, crop, crop) and uint8 (crop, crop), 255 around."""
        geometry = self.geometry(image, rng)
        return self.image(image, geometry, rng), geometry.place(mask, Resampling.NEAREST, IGNORE)


class AffinityTransform(SegmentationTransform):
    """Training of the affinity network: as segmentation, the label map at a quarter of the resolution."""

    def __call__(
        self, image: Image.Image, mask: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """RGB image and uint8 (H, W) -> float32 (3, crop, crop) and uint8 (crop // 4, crop // 4)."""
        array, placed = super().__call__(image, mask, rng)
        side = self.crop // AFFINITY_STRIDE
        return array, np.array(Image.fromarray(placed).resize((side, side), Resampling.NEAREST))


@dataclass(frozen=True)
class SaliencyTransform(TrainingTransform):
    """Training of C2AM: image and foreground hint (published: square of 512, bilinear, crop 448)."""

    resampling: Resampling = Resampling.BILINEAR

    def __call__(
        self, image: Image.Image, hint: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """RGB image and float32 (H, W) in [0, 1] -> float32 (3, crop, crop) and (1, crop, crop), 0 around."""
        geometry = self.geometry(image, rng)
        return self.image(image, geometry, rng), geometry.place(hint, self.resampling, 0)[None]


@dataclass(frozen=True)
class NativeTransform:
    """Training of PoolNet: image and saliency at the image's own size, half of them mirrored.

    normalize: makes the network's input (3, H, W) of an RGB image (H, W, 3) of uint8.
    """

    normalize: Callable[[np.ndarray], Tensor]

    def __call__(
        self, image: Image.Image, saliency: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """RGB image and uint8 (H, W), 255 salient -> float32 (3, H, W) and (1, H, W) in [0, 1]."""
        pixels, target = np.asarray(image), saliency[None].astype(np.float32) / 255
        if rng.random() < 0.5:
            pixels, target = pixels[:, ::-1], target[..., ::-1]
        return self.normalize(pixels).numpy(), np.ascontiguousarray(target)
