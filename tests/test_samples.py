"""Samples are pure functions of (seed, epoch, image); batches resume and split exactly."""

import pickle
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from wsss.data.index import Index, Record
from wsss.data.mixing import MIXES, cut_or_mixup, cutmix, mixup
from wsss.data.samples import Batches, TrainingImages, epoch_order, sample_rng, with_labels
from wsss.data.transforms import ClassificationTransform
from wsss.errors import UserError

CLASSES = ("cat", "dog", "person")
TRANSFORM = ClassificationTransform(
    32, 24, 40, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), ("colorjitter", "randaugment")
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    records = []
    for number in range(11):
        path = root / f"{number:03}.png"
        Image.fromarray(rng.integers(0, 256, (30 + number, 40, 3), np.uint8)).save(path)
        labels = tuple(name for c, name in enumerate(CLASSES) if (number % 7 + 1) >> c & 1)
        records.append(Record(path.stem, path, None, labels))
    return Index(tuple(records), CLASSES, "train", "0" * 12)


def load(
    dataset: TrainingImages, workers: int, **batches: int
) -> dict[tuple[int, str], tuple[torch.Tensor, ...]]:
    sampler = Batches(len(dataset), 4, seed=5, epochs=2)
    loader = DataLoader(dataset, batch_sampler=sampler, num_workers=workers)
    samples = {}
    for keys, batch in zip(sampler, loader, strict=True):
        assert batch["image"].dtype == batch["label"].dtype == torch.float32
        for row, (epoch, _) in enumerate(keys):
            samples[epoch, batch["id"][row]] = tuple(batch[key][row] for key in ("image", "label", "draw"))
    return samples


@pytest.mark.parametrize("mix", [None, "cutormixup"])
def test_samples_do_not_depend_on_workers_or_order(index: Index, mix: str | None) -> None:
    dataset = TrainingImages(index, TRANSFORM, seed=5, mix=mix, mix_probability=0.7)
    alone, shared = load(dataset, 0), load(dataset, 2)
    assert alone.keys() == shared.keys() and len(alone) == 16
    for key, sample in alone.items():
        assert all(torch.equal(a, b) for a, b in zip(sample, shared[key], strict=True))
    for position in reversed(range(len(dataset))):
        again = dataset[1, position]
        if (1, again["id"]) in alone:
            assert torch.equal(again["image"], alone[1, again["id"]][0])


def test_sample_does_not_depend_on_the_other_images(index: Index) -> None:
    whole = TrainingImages(index, TRANSFORM, seed=5)
    part = TrainingImages(replace(index, records=index.records[6:]), TRANSFORM, seed=5)
    assert torch.equal(whole[3, 8]["image"], part[3, 2]["image"])
    assert whole[3, 8]["draw"] == part[3, 2]["draw"]


def test_seed_epoch_and_image_each_change_the_sample(index: Index) -> None:
    images = [
        TrainingImages(index, TRANSFORM, seed=seed)[epoch, position]["image"]
        for seed, epoch, position in ((5, 0, 0), (6, 0, 0), (5, 1, 0), (5, 0, 1))
    ]
    assert not any(torch.equal(images[0], other) for other in images[1:])


def test_sample_contents(index: Index) -> None:
    dataset = pickle.loads(pickle.dumps(TrainingImages(index, TRANSFORM, seed=5)))
    assert len(dataset) == len(index)
    sample = dataset[0, 4]
    assert set(sample) == {"image", "label", "draw", "id"}
    assert sample["image"].shape == (3, 32, 32)
    assert sample["label"].tolist() == [1, 0, 1]
    assert isinstance(sample["draw"], float) and sample["id"] == "004"
    sample["label"].zero_()
    assert dataset[0, 4]["label"].tolist() == [1, 0, 1], "samples share no memory with the data set"


def test_draw_is_uniform_and_independent_of_the_augmentation(index: Index) -> None:
    draws = [sample_rng(0, epoch, f"{image}").random() for epoch in range(40) for image in range(40)]
    assert min(draws) >= 0 and max(draws) < 1
    assert np.histogram(draws, 4, (0, 1))[0] / len(draws) == pytest.approx([0.25] * 4, abs=0.04)
    assert len(set(draws)) == len(draws)
    mixed = TrainingImages(index, TRANSFORM, seed=5, mix="mixup")
    assert mixed[2, 3]["draw"] == TrainingImages(index, TRANSFORM, seed=5)[2, 3]["draw"]


def test_generator_is_the_same_on_every_machine() -> None:
    # recorded once; other values mean that no old run can be resumed or repeated any more
    assert sample_rng(0, 1, "2007_000032").integers(1000, size=4).tolist() == [221, 715, 546, 237]
    numpy_integer: Any = np.int64(1)
    assert sample_rng(0, numpy_integer, "a").random() == sample_rng(0, 1, "a").random()


def test_unreadable_image_is_named(index: Index, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff no photograph")
    missing = tmp_path / "missing.jpg"
    records = (Record("broken", broken, None, ("cat",)), Record("missing", missing, None, ("cat",)))
    dataset = TrainingImages(replace(index, records=records), TRANSFORM, seed=5)
    for position, path in enumerate((broken, missing)):
        with pytest.raises(UserError, match=path.name):
            dataset[0, position]


def test_unreadable_image_is_named_across_workers(index: Index, tmp_path: Path) -> None:
    records = (Record("lost", tmp_path / "lost.jpg", None, ("cat",)),)
    dataset = TrainingImages(replace(index, records=records), TRANSFORM, seed=5)
    with pytest.raises(UserError, match=r"lost\.jpg"):
        next(iter(DataLoader(dataset, batch_sampler=Batches(1, 1, seed=5, epochs=1), num_workers=1)))


def test_with_labels_reports_what_it_leaves_out(index: Index) -> None:
    unlabeled = tuple(replace(record, labels=()) for record in index.records[:3])
    kept, left_out = with_labels(replace(index, records=unlabeled + index.records[3:]))
    assert left_out == 3 and [record.id for record in kept] == [record.id for record in index.records[3:]]
    assert with_labels(index) == (index, 0)


def test_faulty_mix_is_refused(index: Index) -> None:
    with pytest.raises(UserError, match="unknown blend; allowed: mixup, cutmix, cutormixup"):
        TrainingImages(index, TRANSFORM, seed=0, mix="blend")
    with pytest.raises(UserError, match=r"mix_probability 1\.5"):
        TrainingImages(index, TRANSFORM, seed=0, mix="mixup", mix_probability=1.5)


def pair() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    zeros, ones = (np.full((3, 20, 20), value, np.float32) for value in (0, 1))
    return (zeros, np.array([1, 0, 0], np.float32)), (ones, np.array([0, 1, 0], np.float32))


@pytest.mark.parametrize("name", MIXES)
def test_labels_are_mixed_as_the_images_are(name: str) -> None:
    first, second = pair()
    for seed in range(50):
        image, label = MIXES[name](first, second, np.random.default_rng(seed))
        assert image.dtype == label.dtype == np.float32
        assert label.sum() == pytest.approx(1, abs=1e-6) and label.min() >= 0
        assert label[1] == pytest.approx(image.mean(), abs=1e-5), "the share of the second image"
    assert not first[0].any() and first[1].tolist() == [1, 0, 0], "the inputs are left alone"


def test_mixup_blends_evenly_and_cutmix_pastes_a_rectangle() -> None:
    first, second = pair()
    shares, pasted = [], []
    for seed in range(200):
        image, label = mixup(first, second, np.random.default_rng(seed))
        assert np.ptp(image) == 0
        shares.append(label[1])
        image, label = cutmix(first, second, np.random.default_rng(seed))
        assert set(np.unique(image)) <= {0, 1}
        rows, columns = image[0].any(axis=1).sum(), image[0].any(axis=0).sum()
        assert rows * columns == image[0].sum()
        pasted.append(label[1])
    assert np.histogram(shares, 4, (0, 1))[0] / 200 == pytest.approx([0.25] * 4, abs=0.1)
    assert min(pasted) < 0.05 and max(pasted) > 0.7
    kinds = [np.ptp(np.unique(cut_or_mixup(first, second, np.random.default_rng(s))[0])) for s in range(200)]
    assert 0.35 < np.mean(np.array(kinds) == 1) < 0.65


def test_mix_probability(index: Index) -> None:
    def soft(probability: float) -> float:
        dataset = TrainingImages(index, TRANSFORM, seed=5, mix="mixup", mix_probability=probability)
        labels = [dataset[epoch, position]["label"] for epoch in range(8) for position in range(len(index))]
        return float(np.mean([bool(((label > 0) & (label < 1)).any()) for label in labels]))

    assert soft(0) == 0
    # two images with equal labels mix to a hard label, so not even 1 makes all of them soft
    assert 0.25 < soft(0.5) < 0.65 < soft(1)


def test_epoch_order_is_a_permutation_per_epoch() -> None:
    orders = [epoch_order(5, epoch, 100) for epoch in range(3)] + [epoch_order(6, 0, 100)]
    for order in orders:
        assert np.array_equal(np.sort(order), np.arange(100))
    assert len({tuple(order) for order in orders}) == 4
    assert np.array_equal(epoch_order(5, 1, 100), orders[1])


def test_batches_cover_every_epoch() -> None:
    batches = list(Batches(11, 4, seed=5, epochs=3))
    assert [len(batch) for batch in batches] == [4] * 6
    assert [batch[0][0] for batch in batches] == [0, 0, 1, 1, 2, 2]
    for epoch in range(3):
        positions = [position for batch in batches for e, position in batch if e == epoch]
        assert positions == epoch_order(5, epoch, 11)[:8].tolist()


def test_last_batch_is_kept_on_request() -> None:
    batches = Batches(11, 4, seed=5, epochs=2, drop_last=False)
    assert [len(batch) for batch in batches] == [4, 4, 3] * 2 and len(batches) == 6
    assert [len(batch) for batch in Batches(3, 4, seed=5, epochs=1, drop_last=False)] == [3]


@pytest.mark.parametrize("drop_last", [True, False])
def test_resuming_gives_the_tail(drop_last: bool) -> None:
    whole = list(Batches(11, 4, seed=5, epochs=3, drop_last=drop_last))
    for start in range(len(whole) + 1):
        rest = Batches(11, 4, seed=5, epochs=3, start=start, drop_last=drop_last)
        assert list(rest) == whole[start:] and len(rest) == len(whole) - start
        assert list(rest) == whole[start:], "iterating again starts again"


@pytest.mark.parametrize("world", [1, 2, 3])
def test_ranks_share_out_the_global_batch(world: int) -> None:
    whole = list(Batches(20, 6, seed=5, epochs=2, start=1))
    parts = [list(Batches(20, 6, seed=5, epochs=2, start=1, rank=rank, world=world)) for rank in range(world)]
    assert [list(chain(*batch)) for batch in zip(*parts, strict=True)] == whole
    assert {len(batch) for part in parts for batch in part} == {6 // world}


def test_impossible_batches_are_refused() -> None:
    with pytest.raises(UserError, match="batch of 16 cannot be filled: there are 11 images"):
        Batches(11, 16, seed=5, epochs=1)
    with pytest.raises(UserError, match="there are 0 images"):
        Batches(0, 4, seed=5, epochs=1, drop_last=False)
    with pytest.raises(UserError, match="batch of 5 cannot be shared out equally among 2"):
        Batches(11, 5, seed=5, epochs=1, world=2)
    with pytest.raises(UserError, match="batch of 3 cannot be shared out equally among 2"):
        Batches(11, 4, seed=5, epochs=1, world=2, drop_last=False)
    with pytest.raises(ValueError, match="rank 2 of 2"):
        Batches(11, 4, seed=5, epochs=1, rank=2, world=2)
    with pytest.raises(ValueError, match="start 3"):
        Batches(11, 4, seed=5, epochs=1, start=3)
