"""Regions of images: superpixels of scikit-image, or masks that lie in a folder, one file per image.

A folder takes what any segmenter of parts writes, as Segment Anything (Kirillov et al., 2023) does: it needs
no dependency here, and runs where its GPU is.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco

from wsss.config.regions import RegionsConfig
from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.errors import UserError
from wsss.store.regions import Regions


def regions_of(index: Index, shard: tuple[int, int], section: RegionsConfig) -> Iterator[Regions]:
    """The regions of each image of a shard, in the index's order; see `image_regions`."""
    for record in index.shard(*shard):
        yield image_regions(record, section)


def image_regions(record: Record, section: RegionsConfig) -> Regions:
    """The regions of one image, without those that cover more than `largest` of it, and without empty ones.

    Raises UserError naming the image when the folder has no masks of it, or of another size.
    """
    image = np.asarray(read_image(record.image))
    if section.source == "folder":
        masks, level = _from_folder(record, section.root or Path(), image.shape[:2])
    else:
        masks = of_labels(superpixels(image, section))
        level = np.zeros(len(masks), np.uint8)
    shares = masks.mean((1, 2)) if len(masks) else np.zeros(0)
    kept = (shares > 0) & (shares <= section.largest)
    return Regions(record.id, masks[kept], level[kept])


def superpixels(image: np.ndarray, section: RegionsConfig) -> np.ndarray:
    """Numbers (H, W), from 1, of the superpixels of an image (H, W, 3) uint8."""
    from skimage import segmentation

    found: np.ndarray
    if section.source == "slic":
        found = segmentation.slic(
            image, n_segments=section.segments, compactness=section.compactness, start_label=1
        )
        return found
    found = segmentation.felzenszwalb(
        image, scale=section.scale, sigma=section.sigma, min_size=section.min_size
    )
    return found + 1


def of_labels(labels: np.ndarray) -> np.ndarray:
    """Masks (R, H, W) of the numbers in a map (H, W), ascending; 0 is no region."""
    numbers = np.unique(labels)
    masks: np.ndarray = labels[None] == numbers[numbers > 0][:, None, None]
    return masks


def _from_folder(record: Record, root: Path, size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    drawn, listed = root / f"{record.id}.png", root / f"{record.id}.json"
    if drawn.is_file():
        masks = of_labels(np.asarray(Image.open(drawn)))
        level = np.zeros(len(masks), np.uint8)
    elif listed.is_file():
        masks, level = _from_list(listed, size)
    else:
        raise UserError(
            f"{record.id}: neither {drawn} nor {listed.name} there; regions.root needs one per image"
        )
    if masks.ndim != 3 or masks.shape[1:] != size:
        raise UserError(
            f"{record.id}: masks {masks.shape[1:]} in {root} of an image of {size}: sizes must agree"
        )
    return masks, level


def _from_list(path: Path, size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A list of {"segmentation": RLE, "level": 0..2}, or SAM's {"annotations": that list}."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        entries = found["annotations"] if isinstance(found, dict) else found
        codes = [entry["segmentation"] for entry in entries]
        masks = [coco.decode({**code, "counts": str(code["counts"]).encode()}) for code in codes]
        level = np.array([int(entry.get("level", 0)) for entry in entries], np.uint8)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UserError(
            f"{path}: no list of masks ({type(error).__name__}: {error}); needed are objects with a "
            "segmentation in COCO's compressed RLE, and a level from 0 to 2 where there is one"
        ) from None
    return np.stack(masks).astype(bool) if masks else np.zeros((0, *size), bool), level
