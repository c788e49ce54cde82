"""What was made of the images of one shard, in one safetensors file.

Safetensors holds no pickle, and one image's tensors are read without the others'.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wsss.errors import UserError
from wsss.store.files import atomic

Item = TypeVar("Item")


def write_tensors(
    path: str | Path, form: str, digest: str, images: Mapping[str, Any], tensors: dict[str, np.ndarray]
) -> None:
    """Write a file, atomically.

    form: its format. digest: of the configuration that made it. images: by id in order, what is said of each
    image beside its tensors.
    """
    described = json.dumps(images, ensure_ascii=False, separators=(",", ":"))
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata={"format": form, "digest": digest, "images": described})


class TensorShard(ABC, Generic[Item]):
    """A file of the images of a shard; what is of an image is read when asked for, `shard[id]`.

    `.ids` in order of the shard's index, `.digest` of the configuration that made it. Iterating gives all
    images in order. Can be sent to another process, which opens the file anew. A subclass says the format of
    its files, and what they hold.
    """

    form: ClassVar[str]
    holds: ClassVar[str]

    def __init__(self, path: str | Path) -> None:
        """Open a shard. Raises UserError when the file is missing, cut or something else."""
        self.path = Path(path)
        try:
            self._file = safe_open(self.path, framework="numpy")
        except FileNotFoundError:
            raise UserError(
                f"{path}: no such file of {self.holds}; make it: snakemake --cores all {path}"
            ) from None
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path}: no whole safetensors file ({error}); make it again") from None
        metadata = self._file.metadata() or {}
        if metadata.get("format") != self.form:
            raise UserError(
                f"{path}: a safetensors file, but not one of {self.holds} ({self.form!r}); make it: "
                f"snakemake --cores all --force {path}"
            )
        self.digest: str = metadata["digest"]
        self._images: dict[str, Any] = json.loads(metadata["images"])
        self.ids = tuple(self._images)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, image_id: object) -> bool:
        return image_id in self._images

    def __iter__(self) -> Iterator[Item]:
        return (self[image_id] for image_id in self.ids)

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        return type(self), (self.path,)

    def __getitem__(self, image_id: str) -> Item:
        """What is of one image. Raises UserError when there is nothing of it, or something else."""
        if image_id not in self._images:
            raise UserError(
                f"{self.path}: no {self.holds} of image {image_id} among its {len(self)} images; make the "
                "shard again"
            )
        return self._item(image_id, self._images[image_id])

    @abstractmethod
    def _item(self, image_id: str, described: Any) -> Item:
        """What is of an image that is there. described: what the file says of it beside its tensors."""

    def _tensor(self, name: str) -> np.ndarray:
        tensor: np.ndarray = self._file.get_tensor(name)
        return tensor
