"""Maps of one byte a pixel - saliency, labels, masks - of a shard: a directory with a PNG per image.

Beside the PNG, which anything can show, `shard.json` says which images they are, in which order, and of which
configuration: what a file of score maps has in its header. The directory appears when it is whole.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from wsss.errors import UserError
from wsss.store.files import atomic_directory, read_json, write_json, write_png

_FORMAT = "wsss label maps 1"
_ABOUT = "shard.json"


def write_label_shard(
    directory: str | Path,
    images: Iterable[tuple[str, np.ndarray]],
    *,
    digest: str,
    palette: np.ndarray | None = None,
) -> None:
    """Write the maps of all `images`, (id, uint8 (H, W)), in order; `directory` appears when all are there.

    digest: of the configuration that made them. palette: uint8 (256, 3), of label maps; None for gray ones.
    What stood at `directory` is replaced. Raises ValueError when an image comes twice or is no such map.
    """
    ids: dict[str, None] = {}
    with atomic_directory(directory) as part:
        for image_id, array in images:
            if image_id in ids:
                raise ValueError(f"{image_id}: occurs twice in {directory}")
            if array.dtype != np.uint8 or array.ndim != 2:
                raise ValueError(f"{image_id}: a map must be uint8 (H, W), not {array.dtype} {array.shape}")
            ids[image_id] = None
            write_png(part / f"{image_id}.png", array, palette)
        write_json(part / _ABOUT, {"format": _FORMAT, "digest": digest, "ids": list(ids)})


class LabelShard:
    """A directory of maps; an image's map, uint8 (H, W), is read when asked for, `shard[id]`.

    `.ids` in order of the shard's index, `.digest` of the configuration that made it. Iterating gives
    (id, map) of all images in order.
    """

    def __init__(self, directory: str | Path) -> None:
        """Open a shard. Raises UserError when the directory is missing or something else."""
        self.directory = Path(directory)
        about = read_json(self.directory / _ABOUT)
        if not isinstance(about, dict) or about.get("format") != _FORMAT:
            raise UserError(
                f"{directory}: no directory of maps ({_ABOUT} does not say {_FORMAT!r}); make it again"
            )
        self.digest: str = about["digest"]
        self.ids = tuple(about["ids"])
        self._known = frozenset(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, image_id: object) -> bool:
        return image_id in self._known

    def path(self, image_id: str) -> Path:
        """The image's PNG. Raises UserError when the shard has none of it."""
        if image_id not in self._known:
            raise UserError(
                f"{self.directory}: no map of image {image_id} among its {len(self)} images; make "
                "the shard again"
            )
        return self.directory / f"{image_id}.png"

    def __getitem__(self, image_id: str) -> np.ndarray:
        """The map of one image. Raises UserError when there is none, or when its PNG is not whole."""
        path = self.path(image_id)
        try:
            with Image.open(path) as image:
                if image.mode not in ("P", "L"):
                    raise UserError(f"{path}: a map must be a PNG of mode P or L, this one is {image.mode}")
                return np.array(image)
        except (OSError, SyntaxError) as error:
            raise UserError(f"{path}: cannot be read ({error}); make its shard again") from None

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        return ((image_id, self[image_id]) for image_id in self.ids)
