"""CAMs of images with test-time augmentation, kept at the resolution the network gives them."""

from collections.abc import Iterator, Sequence

from wsss.data.index import Index, Record
from wsss.errors import UserError
from wsss.inference.score_maps import MapSource, score_maps
from wsss.store.cams import CamMaps


def require_labels(index: Index) -> None:
    """Raise UserError when no image of a split has image-level labels."""
    if len(index) and not any(record.labels for record in index):
        raise UserError(
            f"split {index.split}: none of its {len(index)} images has image-level labels. CAMs keep the "
            "labeled classes only, so they need such labels; choose a split that has them, and where it is "
            "the validation split, set dataset.val_labels to false"
        )


def cam_maps(
    network: MapSource, index: Index, scales: Sequence[float], *, batch: int = 1, workers: int = 0
) -> Iterator[CamMaps]:
    """The CAMs of the labeled classes of each image of an index, in its order.

    An image without labels has K = 0. batch, workers: see `per_image`. Raises UserError when a single image
    does not fit into the GPU's memory, and when a map is not finite.
    """
    channel = {name: position for position, name in enumerate(index.classes)}

    def labeled(record: Record) -> list[int]:
        return sorted(channel[name] for name in record.labels)

    return score_maps(network, CamMaps, index.records, labeled, scales, batch=batch, workers=workers)
