"""Puzzle-CAM: the CAMs of an image's tiles match those of the image.

Jo and Yu, Puzzle-CAM: Improved localization via matching partial and full features, ICIP 2021.
"""

from typing import Literal

import torch
from torch import Tensor


def tile(images: Tensor, pieces: int) -> Tensor:
    """Split every image into a grid of equal tiles, stacked along the batch.

    images: (B, C, H, W); pieces: a square number n² whose root divides H and W.
    Returns (n²·B, C, H/n, W/n), tile-major: the first tile of all images, then the second, row by row.
    Raises ValueError when the sides do not divide.
    """
    n = _grid(pieces)
    height, width = images.shape[-2:]
    if height % n or width % n:
        raise ValueError(f"cannot cut {height}×{width} into {n}×{n} equal pieces")
    rows = images.tensor_split(n, dim=-2)
    return torch.cat([piece for row in rows for piece in row.tensor_split(n, dim=-1)])


def merge(tiles: Tensor, pieces: int) -> Tensor:
    """Undo `tile`: (n²·B, C, h, w) → (B, C, n·h, n·w)."""
    n = _grid(pieces)
    parts = tiles.chunk(pieces)
    rows = [torch.cat(parts[i * n : (i + 1) * n], dim=-1) for i in range(n)]
    return torch.cat(rows, dim=-2)


def reconstruction_loss(
    full: Tensor,
    merged: Tensor,
    labels: Tensor,
    *,
    distance: Literal["l1", "l2"] = "l1",
    over: Literal["masking", "selection", "none"] = "masking",
) -> Tensor:
    """Distance between the merged maps of the tiles and the maps of the image (Puzzle-CAM, eq. 4).

    full, merged: (B, C, h, w) maps; labels: (B, C) in [0, 1]. distance: absolute or squared difference.
    over: `masking` weighs each map by its label and averages over all C channels, so that the term shrinks
    as C grows (the published choice); `selection` averages each image's present classes, then the batch;
    `none` averages everything. Returns a scalar ≥ 0; gradients reach both maps.
    """
    difference = (full - merged).abs() if distance == "l1" else (full - merged).square()
    if over == "masking":
        return (difference * labels[..., None, None]).mean()
    if over == "selection":
        present = (labels > 0.5).to(difference.dtype)
        per_image = (difference.mean(dim=(-2, -1)) * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)
        return per_image.mean()
    return difference.mean()


def _grid(pieces: int) -> int:
    n = round(pieces**0.5)
    if n * n != pieces:
        raise ValueError(f"pieces = {pieces} is no square number; allowed: 1, 4, 9, 16, …")
    return n
