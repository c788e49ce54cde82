"""Masks of a shard of images: what C2AM's maps show as salient, refined by the dense CRF. Without torch."""

from collections.abc import Iterator, Mapping

import numpy as np

from wsss.config import SaliencyCrfConfig
from wsss.crf import refine_labels
from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.errors import UserError
from wsss.store.cams import ActivationMaps, ActivationShard

#: what is salient, in masks and maps of 8 bits
SALIENT = 255


def saliency_masks(
    maps: Mapping[str, ActivationShard],
    index: Index,
    settings: SaliencyCrfConfig,
    *,
    shard: tuple[int, int] = (0, 1),
) -> Iterator[tuple[str, np.ndarray]]:
    """The mask of each image of a shard, in the index's order: id and uint8 (H, W), 0 or 255.

    maps: C2AM's, by image id. A mask is what exceeds the threshold, refined by the dense CRF. An image
    without labels in a split that has labels shows no object: its mask is empty. One thread computes.

    Raises UserError naming the image whose map has another size or is not finite.
    """
    known = any(record.labels for record in index)
    for record in index.shard(*shard):
        empty = known and not record.labels
        yield record.id, _mask(record, maps[record.id][record.id], settings, empty=empty)


def _mask(record: Record, maps: ActivationMaps, settings: SaliencyCrfConfig, *, empty: bool) -> np.ndarray:
    image = np.asarray(read_image(record.image))
    if maps.size != image.shape[:2]:
        raise UserError(
            f"{record.id}: C2AM map for {maps.size[1]} x {maps.size[0]} pixels, but {record.image} has "
            f"{image.shape[1]} x {image.shape[0]}; make the maps again"
        )
    if empty:
        return np.zeros(maps.size, np.uint8)
    scores = maps.full()
    if not np.isfinite(scores).all():
        raise UserError(f"{record.id}: its C2AM map is not finite; make the maps again")
    salient = scores > np.float32(settings.threshold)
    try:
        refined = refine_labels(image, salient, 2, iterations=settings.iterations, gt_prob=settings.gt_prob)
    except UserError as error:
        raise UserError(f"{record.id}: {error} ({record.image})") from None
    return SALIENT * refined
