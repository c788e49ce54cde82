"""Training samples as a pure function of (seed, epoch, image), and the order in which they come.

Neither the number of workers nor what was loaded before changes a sample, and a training that is resumed asks
for the same (epoch, position) pairs as one that never stopped. Hence there is no random state to save.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset, Sampler, default_collate

from wsss.data.images import read_image
from wsss.data.index import Index
from wsss.data.mixing import MIXES
from wsss.errors import UserError


def sample_rng(seed: int, epoch: int, id: str) -> np.random.Generator:
    """The generator from which everything random about one image in one epoch is drawn."""
    return _generator("sample", seed, epoch, id)


def epoch_order(seed: int, epoch: int, n: int) -> np.ndarray:
    """The order of an epoch's images: a permutation of 0 .. n - 1, int64 (n,)."""
    return _generator("order", seed, epoch).permutation(n)


def collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch of samples, as torch makes it; tensors that differ in shape stay a list."""
    shapes = {key: {value.shape for value in values} for key, values in _tensors(samples)}
    ragged = {key: [sample[key] for sample in samples] for key, found in shapes.items() if len(found) > 1}
    even = [{key: value for key, value in sample.items() if key not in ragged} for sample in samples]
    return {**default_collate(even), **ragged}


def _tensors(samples: list[dict[str, Any]]) -> Iterator[tuple[str, list[torch.Tensor]]]:
    for key, value in samples[0].items():
        if isinstance(value, torch.Tensor):
            yield key, [sample[key] for sample in samples]


def _generator(*key: str | int) -> np.random.Generator:
    # A hash of our own: Python's is salted per process. The purpose comes first in the key, for no two
    # purposes may share a stream. f-strings, not repr: a NumPy integer must give the stream of its value.
    text = "/".join(f"{part}" for part in key)
    digest = blake2b(text.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def with_labels(index: Index) -> tuple[Index, int]:
    """The images of an index that show at least one class, and how many were left out."""
    kept = tuple(record for record in index.records if record.labels)
    return replace(index, records=kept), len(index) - len(kept)


class TrainingImages(Dataset[dict[str, Any]]):
    """Images with image-level labels, transformed for training.

    `dataset[epoch, position]` is a dict of

    - image: float32 (3, S, S), what `transform` makes of the RGB image
    - label: float32 (C,), 0 or 1; between them where samples are mixed
    - draw: float in [0, 1), the uniform number by which a task chooses the class that it erases
    - id: the image's id

    mix names one of wsss.data.mixing.MIXES, or is None; a sample is mixed with a random other one with
    probability mix_probability. Both are transformed, then mixed. Raises UserError for an unknown mix and,
    when asked for it, for an image that does not decode.
    """

    def __init__(
        self,
        index: Index,
        transform: Callable[[Image.Image, np.random.Generator], np.ndarray],
        *,
        seed: int,
        mix: str | None = None,
        mix_probability: float = 1.0,
    ) -> None:
        if mix is not None and mix not in MIXES:
            raise UserError(f"mix: unknown {mix}; allowed: {', '.join(MIXES)}, or none at all")
        if not 0 <= mix_probability <= 1:
            raise UserError(f"mix_probability {mix_probability}: must lie in 0..1")
        self.ids = [record.id for record in index]
        self.paths = [record.image for record in index]
        self.labels = index.labels()
        self.transform = transform
        self.seed = seed
        self.mix = mix
        self.mix_probability = mix_probability

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, position = key
        rng = sample_rng(self.seed, epoch, self.ids[position])
        # drawn first, so that the same class is erased whatever the augmentation
        draw = float(rng.random())
        image, label = self._sample(position, rng)
        if self.mix is not None and rng.random() < self.mix_probability:
            partner = self._sample(int(rng.integers(len(self))), rng)
            image, label = MIXES[self.mix]((image, label), partner, rng)
        return {
            "image": torch.from_numpy(image),
            "label": torch.from_numpy(label),
            "draw": draw,
            "id": self.ids[position],
        }

    def _sample(self, position: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        # the label is copied: no sample may share memory with the data set
        return self.transform(read_image(self.paths[position]), rng), self.labels[position].copy()


class Batches(Sampler[list[tuple[int, int]]]):
    """The batches of a whole training, all epochs in one stream, as lists of (epoch, position).

    n: images; batch: images per micro-step over all processes together. start: micro-steps already done; the
    stream goes on behind them. Of every batch, process `rank` of `world` gets its contiguous equal part.
    drop_last leaves an epoch's incomplete last batch out. len() is the number of micro-steps still to come.

    Raises UserError where no batch can be filled or a batch cannot be shared out equally.
    """

    def __init__(
        self,
        n: int,
        batch: int,
        *,
        seed: int,
        epochs: int,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        drop_last: bool = True,
    ) -> None:
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} of {world}: must lie in 0..{world - 1}")
        if n < (batch if drop_last else 1):
            raise UserError(f"a batch of {batch} cannot be filled: there are {n} images")
        for size in (batch,) if drop_last else (batch, n % batch):
            if size % world:
                raise UserError(f"a batch of {size} cannot be shared out equally among {world} processes")
        self.n, self.batch, self.seed, self.rank, self.world = n, batch, seed, rank, world
        self.steps_per_epoch = n // batch if drop_last else -(-n // batch)
        self.total = epochs * self.steps_per_epoch
        self.start = start
        if not 0 <= start <= self.total:
            raise ValueError(f"start {start}: must lie in 0..{self.total}, the training's micro-steps")

    def __len__(self) -> int:
        return self.total - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order, ordered = np.empty(0, np.int64), -1
        for step in range(self.start, self.total):
            epoch, place = divmod(step, self.steps_per_epoch)
            if epoch != ordered:
                order, ordered = epoch_order(self.seed, epoch, self.n), epoch
            whole = order[place * self.batch : (place + 1) * self.batch]
            share = len(whole) // self.world
            mine = whole[self.rank * share : (self.rank + 1) * share]
            yield [(epoch, int(position)) for position in mine]
