"""Score-map shards: what goes in comes out, one image at a time, and files that are no shard are refused."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from wsss.errors import UserError
from wsss.store.cams import ActivationMaps, ActivationShard, CamMaps, CamShard
from wsss.store.maps import write_shard
from wsss.store.walks import WalkMaps, WalkShard


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def some_maps(rng, image_id, keys, size=(50, 37), scales=(0.5, 1.0, 1.5)):
    sizes = {scale: (round(size[0] * scale / 16), round(size[1] * scale / 16)) for scale in scales}
    return CamMaps(
        image_id,
        size,
        np.array(keys, np.int64),
        {scale: rng.random((len(keys) - 1, *shape)).astype(np.float32) for scale, shape in sizes.items()},
    )


@pytest.fixture
def images(rng):
    return [
        some_maps(rng, "b/1", [0, 3, 20]),
        some_maps(rng, "a 2", [0]),
        some_maps(rng, "ü3", [0, 1], (9, 9)),
    ]


@pytest.fixture
def path(tmp_path, images):
    path = tmp_path / "cams" / "00.safetensors"
    write_shard(path, iter(images), digest="0123456789ab")
    return path


def assert_same(found, expected):
    assert (found.id, found.size) == (expected.id, expected.size)
    assert found.keys.dtype == np.int64
    np.testing.assert_array_equal(found.keys, expected.keys)
    assert list(found.scales) == list(expected.scales)
    for scale, array in expected.scales.items():
        assert found.scales[scale].dtype == np.float32
        np.testing.assert_array_equal(found.scales[scale], array)


def test_a_shard_gives_back_what_was_written(path, images):
    shard = CamShard(path)
    assert shard.digest == "0123456789ab"
    assert shard.ids == ("b/1", "a 2", "ü3")
    assert len(shard) == 3
    assert "a 2" in shard
    assert_same(shard["ü3"], images[2])
    for found, expected in zip(shard, images, strict=True):
        assert_same(found, expected)
    assert [file.name for file in path.parent.iterdir()] == ["00.safetensors"]


def test_a_shard_goes_to_other_processes(path, images):
    assert_same(pickle.loads(pickle.dumps(CamShard(path)))["b/1"], images[0])


def test_an_empty_shard_is_one(tmp_path):
    write_shard(tmp_path / "x.safetensors", [], digest="d")
    assert list(CamShard(tmp_path / "x.safetensors")) == []


def test_an_image_that_is_not_there_is_named(path):
    with pytest.raises(UserError, match=r"00.safetensors: no score maps of image 2007_000032 among its 3"):
        CamShard(path)["2007_000032"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"07.safetensors: no such file"):
        CamShard(tmp_path / "07.safetensors")


@pytest.mark.parametrize("content", ["pickle", "cut", "cut in the header", "empty", "directory", "text"])
def test_what_is_no_shard_is_refused(path, content):
    whole = path.read_bytes()
    path.unlink()
    if content == "directory":
        path.mkdir()
    else:
        path.write_bytes(
            {
                "pickle": pickle.dumps({"keys": np.zeros(3)}),
                "cut": whole[:-5],
                "cut in the header": whole[:60],
                "empty": b"",
                "text": b"id,image,mask,labels\n" * 9,
            }[content]
        )
    with pytest.raises(UserError, match=r"00.safetensors: no whole safetensors file"):
        CamShard(path)


def test_another_safetensors_file_is_refused(path):
    save_file({"weight": np.zeros(3, np.float32)}, path)
    with pytest.raises(UserError, match="not one of score maps"):
        CamShard(path)


def test_maps_that_do_not_fit_are_not_written(rng, tmp_path, images):
    path = tmp_path / "x.safetensors"
    with pytest.raises(ValueError, match="b/1: occurs twice"):
        write_shard(path, [images[0], images[0]], digest="d")
    wrong = CamMaps("a", (9, 9), np.array([0, 1]), {1.0: np.zeros((2, 3, 3), np.float32)})
    with pytest.raises(ValueError, match=r"a: maps at scale 1.0 are \(2, 3, 3\)"):
        write_shard(path, [wrong], digest="d")
    with pytest.raises(ValueError, match="keys"):
        write_shard(path, [some_maps(rng, "a", [0, 5, 3])], digest="d")
    assert list(tmp_path.iterdir()) == []


def test_maps_that_came_merged_are_taken_as_they_are(rng, tmp_path):
    merged = {1: rng.random((2, 50, 37), np.float32), 4: rng.random((2, 13, 10), np.float32)}
    maps = CamMaps("b/1", (50, 37), np.array([0, 3, 20]), {}, merged)
    write_shard(tmp_path / "00.safetensors", [maps, some_maps(rng, "b", [0, 1])], digest="d")
    found = CamShard(tmp_path / "00.safetensors")
    assert_same(found["b/1"], maps)
    np.testing.assert_array_equal(found["b/1"].full(), merged[1])
    np.testing.assert_array_equal(found["b/1"].strided(), merged[4])
    assert found["b"].merged == {} and found["b"].full().shape == (1, 50, 37)
    with pytest.raises(ValueError, match=r"b/1: maps of stride 4 are \(2, 50, 37\), not \(2, 13, 10\)"):
        write_shard(tmp_path / "01.safetensors", [replace(maps, merged={4: merged[1]})], digest="d")


# --- one format, three types ---

KINDS = {"cams": CamShard, "activations": ActivationShard, "walks": WalkShard}
#: of an image of 50 x 37 pixels: a map at stride 16 of two classes, one of what is object, one at stride 4
STORED = {
    "cams": CamMaps("a", (50, 37), np.array([0, 3, 5]), {1.0: np.ones((2, 4, 3), np.float32)}),
    "activations": ActivationMaps("a", (50, 37), np.array([0, 1]), {1.0: np.ones((1, 4, 3), np.float32)}),
    "walks": WalkMaps("a", (50, 37), np.array([0, 3, 5]), {1.0: np.ones((2, 13, 10), np.float32)}),
}


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("read", KINDS)
def test_the_reader_of_another_type_is_refused(tmp_path, stored, read):
    path = tmp_path / "000.safetensors"
    write_shard(path, [STORED[stored]], digest="d")
    shard = KINDS[read](path)
    # The activation of C2AM is merged as a CAM is: of a single class, the two look alike and read alike.
    if stored != read and (stored, read) != ("activations", "cams"):
        with pytest.raises(UserError, match=r"000.safetensors: a: (its maps|holds|keys)"):
            shard["a"]
    else:
        assert type(shard["a"]) is KINDS[read].maps
        assert shard["a"].full().shape[-2:] == (50, 37)


def test_only_cams_start_a_walk():
    assert STORED["cams"].strided().shape == (2, 13, 10)
    assert not hasattr(STORED["walks"], "strided") and not hasattr(STORED["activations"], "strided")
