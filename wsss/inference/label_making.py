"""Label maps of images: affinity labels of CAMs and saliency, pseudo labels of walked CAMs."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from wsss.config import AffinityLabelsConfig, PseudoLabelsConfig
from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.data.palette import read_mask
from wsss.errors import UserError
from wsss.inference.regions import vote_sams, vote_sepl
from wsss.labels import RefineScores, affinity_label, pseudo_label
from wsss.store.cams import CamShard
from wsss.store.label_maps import LabelShard
from wsss.store.regions import RegionShard
from wsss.store.shards import saliency_of
from wsss.store.walks import WalkShard

#: (id, uint8 (H, W) of mask values, 255 where it is not known)
LabelMap = tuple[str, np.ndarray]


def _adaptive(method: str) -> RefineScores:
    def refine(image: np.ndarray, scores: np.ndarray, iterations: int) -> np.ndarray:
        # Imported here: torch takes seconds to import, which the CRF does not need.
        from wsss.inference import pixel_adaptive

        refined: np.ndarray = getattr(pixel_adaptive, method)(image, scores, iterations=iterations)
        return refined

    return refine


#: by the value of `refine`; None: the dense CRF
REFINEMENTS: dict[str, RefineScores | None] = {
    "crf": None,
    "pamr": _adaptive("pamr"),
    "par": _adaptive("par"),
}


def affinity_labels(
    cams: Mapping[str, CamShard],
    saliency: Mapping[str, LabelShard] | None,
    index: Index,
    settings: AffinityLabelsConfig,
) -> Iterator[LabelMap]:
    """The affinity labels of each image of an index, in its order; see `wsss.labels.affinity_label`.

    cams, saliency: by image id, the shards that hold them; no saliency for the rule without. An image without
    labels is all background. One thread computes. Raises UserError naming the image whose maps do not fit.
    """

    def label(record: Record, image: np.ndarray) -> np.ndarray:
        maps = cams[record.id][record.id]
        salient = None if saliency is None else saliency_of(saliency[record.id], record.id)
        return affinity_label(
            image,
            maps.full(),
            salient,
            maps.keys,
            fg_threshold=settings.fg_threshold,
            bg_threshold=settings.bg_threshold,
            iterations=settings.iterations,
            gt_prob=settings.gt_prob,
            refine=REFINEMENTS[settings.refine],
        )

    return _labels(label, index)


def pseudo_labels(
    walks: Mapping[str, WalkShard],
    index: Index,
    settings: PseudoLabelsConfig,
    *,
    regions: Mapping[str, RegionShard] | None = None,
) -> Iterator[LabelMap]:
    """The pseudo labels of each image of an index, in its order; see `wsss.labels.pseudo_label`.

    walks: by image id, the shard that holds its walked CAMs; regions: likewise, where `vote` asks for them
    (see `wsss.inference.regions`). An image without labels is all background; one with a corrected label map
    (`corrections`) has that. One thread computes. Raises UserError naming the image whose maps do not fit.
    """
    corrected = _corrected(settings)

    def label(record: Record, image: np.ndarray) -> np.ndarray:
        if record.id in corrected:
            return read_mask(corrected[record.id])
        maps = walks[record.id][record.id]
        found = None if regions is None else regions[record.id][record.id]
        if found is not None and settings.vote == "sams":
            fg = maps.keys[1:] - 1
            return vote_sams(maps.full(), fg, found.masks, found.level, power=settings.power)
        labels = pseudo_label(
            image,
            maps.full(),
            maps.keys,
            threshold=settings.threshold,
            iterations=settings.iterations,
            gt_prob=settings.gt_prob,
            refine=REFINEMENTS[settings.refine],
        )
        return labels if found is None else vote_sepl(labels, found.masks, rule=settings.vote)

    return _labels(label, index)


def _corrected(settings: PseudoLabelsConfig) -> dict[str, Path]:
    """The corrected label maps, by image id."""
    directory = settings.corrections
    if directory is None:
        return {}
    if not directory.is_dir():
        raise UserError(
            f"segmentation.pseudo.corrections: {directory}: no such directory; restore it, or import the "
            "corrections again: wsss corrections import"
        )
    return {path.stem: path for path in directory.glob("*.png")}


def _labels(label: Callable[[Record, np.ndarray], np.ndarray], index: Index) -> Iterator[LabelMap]:
    """label: makes the labels (H, W) of a record and its image (H, W, 3)."""
    for record in index:
        try:
            yield record.id, label(record, np.asarray(read_image(record.image)))
        except UserError as error:
            raise UserError(f"{record.id}: {error}") from None
