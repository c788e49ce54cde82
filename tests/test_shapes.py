"""The embedded data set: the same everywhere, in VOC's layout, and worth learning from."""

import ast
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import wsss.data.shapes
from wsss.data.images import read_image
from wsss.data.index import Index
from wsss.data.palette import read_mask
from wsss.data.shapes import CLASSES, Picture, picture, write_shapes
from wsss.data.shapes.draws import Draws
from wsss.data.voc import voc_index
from wsss.metrics import IGNORE

DIGEST = "db4ab2901e508f4d0e1f57485c0a59b240311c8b2cc483f69b66feda68ba4b45"

#: what NumPy computes to the last bit alike on every processor: exact rounding, or no rounding at all
EXACT = [
    "abs",
    "arange",
    "array",
    "asarray",
    "bincount",
    "broadcast_to",
    "clip",
    "float64",
    "floor",
    "full",
    "full_like",
    "int64",
    "maximum",
    "mgrid",
    "minimum",
    "ndarray",
    "nonzero",
    "random",
    "sqrt",
    "uint64",
    "uint8",
    "where",
    "zeros",
    "zeros_like",
]


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    return [picture(0, 0, number, 96) for number in range(36)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shapes")
    write_shapes(root, seed=3, train=12, val=4, size=64)
    return root


def test_the_pixels_are_known() -> None:
    digest = hashlib.sha256()
    for split, number, size in ((0, 0, 128), (0, 1, 128), (0, 2, 128), (0, 5, 128), (1, 0, 128), (1, 7, 97)):
        made = picture(0, split, number, size)
        digest.update(repr((made.pixels.shape, made.things)).encode())
        digest.update(made.pixels.tobytes())
        digest.update(made.mask.tobytes())
    assert digest.hexdigest() == DIGEST


def test_only_exact_arithmetic_is_used() -> None:
    used = set()
    for path in Path(wsss.data.shapes.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np":
                used.add(node.attr)
            assert not isinstance(node, ast.MatMult), f"{path.name}: a matrix product sums in any order"
            if isinstance(node, ast.Name):
                assert node.id != "math", f"{path.name}: math's functions differ between C libraries"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in ("mean", "std", "var", "dot"), f"{path.name}:{node.lineno}"
    assert used <= set(EXACT), f"not known to be exact: {sorted(used - set(EXACT))}"


def test_a_picture_depends_on_its_key_alone(root: Path, tmp_path: Path) -> None:
    write_shapes(tmp_path, seed=3, train=2, val=1, size=64)
    for name in ("train_00000", "train_00001", "val_00000"):
        for directory, suffix in (
            ("JPEGImages", "png"),
            ("SegmentationClass", "png"),
            ("Annotations", "xml"),
        ):
            file = Path(directory, f"{name}.{suffix}")
            assert (tmp_path / file).read_bytes() == (root / file).read_bytes()
    several = [
        picture(seed, split, number, 64).pixels.tobytes()
        for seed in (3, 4)
        for split in (0, 1)
        for number in (0, 1)
    ]
    assert len(set(several)) == 8


def test_is_a_data_set_in_vocs_layout(root: Path) -> None:
    train, val = voc_index(root, "train"), voc_index(root, "val")
    assert (len(train), len(val)) == (12, 4)
    assert train.classes == CLASSES == ("fox", "badger", "bus", "tram", "sunflower", "thistle")
    assert [record.id for record in voc_index(root, "train_aug")] == [record.id for record in train]
    for record in (*train, *val):
        assert record.mask is not None
        assert np.asarray(read_image(record.image)).shape[:2] == read_mask(record.mask).shape


def test_the_files_hold_the_pictures(root: Path) -> None:
    index: Index = voc_index(root, "val")
    for number, record in enumerate(index):
        made = picture(3, 1, number, 64)
        assert record.mask is not None
        assert np.array_equal(np.asarray(read_image(record.image)), made.pixels)
        assert np.array_equal(read_mask(record.mask), made.mask)
        assert set(record.labels) == {thing.name for thing in made.things}


def test_labels_are_what_the_mask_shows(pictures: list[Picture]) -> None:
    for made in pictures:
        shown = {CLASSES[value - 1] for value in np.unique(made.mask) if 0 < value < IGNORE}
        assert shown == {thing.name for thing in made.things}


def test_boxes_hold_their_things(pictures: list[Picture]) -> None:
    for made in pictures:
        outside = made.mask.copy()
        for thing in made.things:
            left, top, right, bottom = thing.box
            assert 1 <= left < right <= made.mask.shape[1] and 1 <= top < bottom <= made.mask.shape[0]
            outside[top - 1 : bottom, left - 1 : right] = 0
        assert not ((outside > 0) & (outside < IGNORE)).any()


def test_void_lies_between_any_two_classes(pictures: list[Picture]) -> None:
    for made in pictures:
        mask = made.mask
        for a, b in ((mask[1:], mask[:-1]), (mask[:, 1:], mask[:, :-1])):
            assert not ((a != b) & (a != IGNORE) & (b != IGNORE)).any()


def test_every_class_is_seen_alone_and_in_company(pictures: list[Picture]) -> None:
    casts = [frozenset(thing.name for thing in made.things) for made in pictures]
    assert {len(cast) for cast in casts} == {1, 2, 3}
    assert min(Counter(name for cast in casts for name in cast).values()) >= 5
    assert max(len(made.things) for made in pictures) == 3


def test_objects_are_neither_tiny_nor_everything(pictures: list[Picture]) -> None:
    shares = [
        float((made.mask == value).mean())
        for made in pictures
        for value in np.unique(made.mask)
        if 0 < value < IGNORE
    ]
    assert 0.12 < float(np.median(shares)) < 0.3
    assert max(shares) < 0.6


def test_sides_vary_around_the_size(pictures: list[Picture]) -> None:
    sides = {side for made in pictures for side in made.mask.shape}
    assert min(sides) >= 84 and max(sides) <= 108 and len(sides) > 10


def test_draws_are_raw_and_in_range() -> None:
    draws = Draws(1, 2)
    table = draws.table(100, 100)
    assert table.min() >= 0 and table.max() < 1 and abs(float(table.mean()) - 0.5) < 0.02
    assert {draws.whole(2, 4) for _ in range(100)} == {2, 3, 4}
    assert Counter(draws.pick("ab", [3, 1]) for _ in range(1000))["a"] in range(680, 820)
    assert Draws(1, 2).between(0, 1) != Draws(2, 1).between(0, 1)
