"""Test-time augmentation: the sizes at which the network sees an image.

The maps of all sizes are merged when they are read, see `wsss.store.cams`.
"""

from PIL import Image


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(H, W) of an image at a test scale: rounded, halves to even (Python's `round`), at least 1."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def rescale(image: Image.Image, scale: float) -> Image.Image:
    """`image` at a test scale, resized by Pillow's bicubic filter (which widens when it shrinks)."""
    height, width = scaled_size((image.height, image.width), scale)
    if (height, width) == (image.height, image.width):
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC)
