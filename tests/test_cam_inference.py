"""CAMs of an index: the published values, equal maps however they are computed, and their evaluation."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from wsss.data.index import Index, Record
from wsss.errors import UserError
from wsss.evaluation.scores import evaluate_scores
from wsss.inference import device_network
from wsss.inference.cam_network import CamNetwork
from wsss.inference.cams import cam_maps, require_labels
from wsss.machine import fanout
from wsss.metrics import ThresholdSweep
from wsss.models import Classifier, load_published
from wsss.store.cams import CamMaps, CamShard
from wsss.store.files import write_json, write_png
from wsss.store.maps import write_shard

CLASSES = ("cat", "dog", "cow")
SIZES = [(48, 64), (48, 64), (64, 48), (48, 64), (40, 40), (48, 64)]
LABELS = [("cat",), ("dog", "cow"), (), ("cat", "cow"), ("cow",), ("dog",)]
THRESHOLDS = (0.1, 0.3, 0.5, 0.7)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Six images of three sizes, one without labels, one without a mask."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("images")
    records = []
    for i, (size, labels) in enumerate(zip(SIZES, LABELS, strict=True)):
        image, mask = root / f"{i}.png", root / f"{i}_mask.png"
        write_png(image, rng.integers(0, 256, (*size, 3), dtype=np.uint8))
        write_png(mask, rng.choice(np.array([0, 0, 1, 2, 3, 255], np.uint8), size))
        records.append(Record(f"id{i}", image, None if i == 5 else mask, labels))
    return Index(tuple(records), CLASSES, "train", "d")


def network(kind=Classifier):
    torch.manual_seed(0)
    return kind("mobilenetv3_small_050", len(CLASSES)).eval()


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture(scope="module")
def maps(model, index):
    return cams_of(model, index)


@pytest.fixture
def shards(tmp_path, maps):
    """The maps of all images in two files."""
    paths = [tmp_path / f"{i}.safetensors" for i in range(2)]
    for i, path in enumerate(paths):
        write_shard(path, maps[i::2], digest="d")
    return paths


@pytest.fixture
def unfused(monkeypatch):
    """The network itself looks, not a faster copy, of which a test would see nothing."""
    monkeypatch.setattr(device_network, "fused", lambda model, look: model)


def cams_of(model, index, *, scales=(0.5, 1.0, 1.5, 2.0), flip=True, precision="float32", **options):
    """Maps on a CPU."""
    network = CamNetwork(model, torch.device("cpu"), precision, flip)
    return list(cam_maps(network, index, scales, **options))


def batched(model, index, *, batch, workers=0):
    """Maps as on a GPU: several images at once."""
    network = CamNetwork(model, torch.device("cpu"), "float32", flip=True)
    network.loading = lambda *asked: asked
    return list(cam_maps(network, index, (0.5, 1.0, 1.5, 2.0), batch=batch, workers=workers))


def assert_equal_maps(found, expected, tolerance=1e-5):
    assert [item.id for item in found] == [item.id for item in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.keys, other.keys)
        assert one.size == other.size
        assert list(one.scales) == list(other.scales)
        for scale, array in one.scales.items():
            np.testing.assert_allclose(array, other.scales[scale], rtol=0, atol=tolerance)


@torch.no_grad()
def plain(model, image, scale, channels):
    """One image, one scale, one pair."""
    size = round(image.width * scale), round(image.height * scale)
    x = model.normalization(np.asarray(image.resize(size, Image.Resampling.BICUBIC)))
    _, cam = model.forward_cam(torch.stack([x, x.flip(-1)]))
    cam = cam.relu()
    return (cam[0] + cam[1].flip(-1))[channels].numpy()


def test_maps_are_those_of_the_plain_loop(model, index, maps):
    assert [item.id for item in maps] == [record.id for record in index]
    assert [item.size for item in maps] == SIZES
    assert [item.keys.tolist() for item in maps] == [[0, 1], [0, 2, 3], [0], [0, 1, 3], [0, 3], [0, 2]]
    for item, record in zip(maps, index, strict=True):
        for scale in (0.5, 1.0, 1.5, 2.0):
            expected = plain(model, Image.open(record.image), scale, item.keys[1:] - 1)
            assert item.scales[scale].dtype == np.float32
            np.testing.assert_allclose(item.scales[scale], expected, rtol=0, atol=1e-5)


def test_an_image_without_labels_has_empty_maps(maps):
    assert maps[2].full().shape == (0, 64, 48)
    assert maps[2].strided().shape == (0, 16, 12)


@pytest.mark.parametrize(("batch", "workers"), [(2, 0), (4, 2), (100, 0)])
def test_batches_and_workers_change_no_map(model, index, maps, batch, workers):
    assert_equal_maps(batched(model, index, batch=batch, workers=workers), maps)


def test_a_cpu_sees_one_image_at_a_time(index, unfused):
    small = network(SmallMemory)
    small.seen = []
    cams_of(small, index, batch=4, workers=2)
    assert small.seen == [2] * (6 * 4)


def test_shards_share_out_the_images(model, index, maps):
    for i in range(4):
        found = cams_of(model, index.shard(i, 4))
        assert_equal_maps(found, maps[i::4])
    assert cams_of(model, index.shard(7, 8)) == []


def test_a_shard_may_hold_only_images_without_labels(model, index, maps):
    assert_equal_maps(cams_of(model, index.shard(2, 6)), maps[2:3])


def test_mirrored_images_give_mirrored_maps(model, index, maps, tmp_path):
    mirrored = tmp_path / "mirrored.png"
    write_png(mirrored, np.asarray(Image.open(index.records[1].image))[:, ::-1])
    record = Record("id1", mirrored, None, LABELS[1])
    (found,) = cams_of(model, Index((record,), CLASSES, "x", ""), scales=(1.0, 2.0))
    for scale, array in found.scales.items():
        np.testing.assert_allclose(array, maps[1].scales[scale][..., ::-1], rtol=0, atol=1e-5)


def test_without_flip_a_map_is_that_of_the_image(model, index):
    (found, *_) = cams_of(model, index, scales=(1.0,), flip=False)
    with torch.no_grad():
        image = np.asarray(Image.open(index.records[0].image))
        _, cam = model.forward_cam(model.normalization(image)[None])
    np.testing.assert_allclose(found.scales[1.0], cam[0, :1].relu().numpy(), rtol=0, atol=1e-5)


def test_mixed_precision_is_near_and_float32(model, index, maps):
    found = cams_of(model, index, precision="bf16")
    assert found[0].scales[1.0].dtype == np.float32
    assert_equal_maps(found, maps, tolerance=0.1 * max(item.max() for item in maps[1].scales.values()))
    with pytest.raises(ValueError, match="'half', allowed are float32, bf16, fp16"):
        cams_of(model, index, precision="half")


class SmallMemory(Classifier):
    """Runs out of memory when it sees more than two images at a time, as a GPU would."""

    largest = 2
    seen: list[int]

    def forward_cam(self, x):
        self.seen.append(len(x))
        if len(x) > self.largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward_cam(x)


def test_a_batch_too_large_for_the_memory_is_halved(index, maps, unfused):
    small = network(SmallMemory)
    small.seen = []
    assert_equal_maps(batched(small, index, batch=4), maps)
    # four images and their mirror images; what was too much once is not tried again
    assert small.seen[:3] == [8, 4, 2]
    assert small.seen.count(8) == 1


def test_an_image_too_large_for_the_memory_is_named(index, unfused):
    small = network(SmallMemory)
    small.seen, small.largest = [], 0
    with pytest.raises(UserError, match=r"images id0 at scale 0\.5: a single image of 32 x 24 pixels"):
        cams_of(small, index)


def test_a_map_that_is_not_finite_is_refused(index):
    broken = network()
    with torch.no_grad():
        broken.classifier.weight.fill_(torch.nan)
    with pytest.raises(UserError, match=r"images id0 at scale 0\.5: a CAM is not finite in float32"):
        cams_of(broken, index)


def test_a_split_without_labels_is_refused(index):
    records = tuple(Record(record.id, record.image, None, ()) for record in index)
    with pytest.raises(UserError, match="split test: none of its 6 images has image-level labels"):
        require_labels(Index(records, CLASSES, "test", ""))


def test_evaluation_is_that_of_a_plain_sweep(index, maps, shards):
    result = evaluate_scores(shards, index, thresholds=THRESHOLDS, progress=False)
    sweep = ThresholdSweep(4, THRESHOLDS)
    for item, record in zip(maps[:5], index.records[:5], strict=True):
        sweep.update(item.full(), item.keys, np.asarray(Image.open(record.mask)))
    best = sweep.confusion(sweep.best())
    assert result["threshold"] == THRESHOLDS[sweep.best()]
    assert result["miou"] == pytest.approx(100 * best.miou())
    assert list(result["iou"]) == ["background", *CLASSES]
    np.testing.assert_allclose(list(result["iou"].values()), 100 * best.iou())
    assert [row["threshold"] for row in result["curve"]] == list(THRESHOLDS)
    np.testing.assert_allclose([row["miou"] for row in result["curve"]], 100 * sweep.miou())
    assert set(result["curve"][0]) == {
        "threshold", "miou", "foreground_miou", "fp_rate", "fn_rate", "precision", "recall"
    }  # fmt: skip
    protocol = result["protocol"]
    assert (protocol["split"], protocol["images"], protocol["images_without_mask"]) == ("train", 5, 1)
    assert protocol["scales"] == [0.5, 1.0, 1.5, 2.0]
    assert protocol["digest"] == "d"


def test_evaluation_in_processes_gives_the_same(index, maps, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(fanout, "IMAGES_PER_PROCESS", 1)
    one = evaluate_scores(shards, index, thresholds=THRESHOLDS, progress=False)
    two = evaluate_scores(shards, index, thresholds=THRESHOLDS, workers=2, progress=False)
    assert one == two
    write_json(tmp_path / "cams.json", one)
    assert json.loads((tmp_path / "cams.json").read_text()) == one


def test_perfect_maps_score_100(index, tmp_path):
    masks = [np.asarray(Image.open(record.mask)) for record in index.records[:5]]
    perfect = [
        CamMaps(
            f"id{i}",
            mask.shape,
            np.arange(4),
            {1.0: np.stack([(mask == c) * 1 for c in (1, 2, 3)]).astype(np.float32)},
        )
        for i, mask in enumerate(masks)
    ]
    # of a multiple of 16, so that full resolution is theirs
    kept = [item for item in perfect if all(side % 16 == 0 for side in item.size)]
    write_shard(tmp_path / "a.safetensors", kept, digest="d")
    names = {item.id for item in kept}
    some = Index(tuple(record for record in index if record.id in names), CLASSES, "train", "")
    result = evaluate_scores([tmp_path / "a.safetensors"], some, thresholds=(0.5,), progress=False)
    assert result["miou"] == 100


def test_missing_predictions_are_named(index, shards):
    with pytest.raises(
        UserError, match=r"2 of 5 images with a mask have no CAMs in .*0.safetensors: id1, id3\. Make"
    ):
        evaluate_scores(shards[:1], index, thresholds=THRESHOLDS)
    with pytest.raises(UserError, match=r"5 of 5 .* in no shard: id0"):
        evaluate_scores([], index, thresholds=THRESHOLDS)


def test_what_does_not_fit_together_is_refused(index, maps, shards, tmp_path):
    write_shard(shards[1], maps[1::2], digest="other")
    with pytest.raises(UserError, match="different configurations"):
        evaluate_scores(shards, index, thresholds=THRESHOLDS)
    wrong = [CamMaps(item.id, (48, 65), item.keys, item.scales) for item in maps]
    write_shard(tmp_path / "wrong.safetensors", wrong, digest="d")
    with pytest.raises(UserError, match=r"id0: CAMs for 65 x 48 pixels .* has 64 x 48"):
        evaluate_scores([tmp_path / "wrong.safetensors"], index, thresholds=THRESHOLDS)
    fewer = Index(index.records[:1], CLASSES[:1], "train", "")
    with pytest.raises(UserError, match=r"id0: mask holds \[2, 3\], allowed are 0..1 or 255"):
        evaluate_scores(shards[:1], fewer, thresholds=THRESHOLDS)
    unmasked = Index(index.records[5:], CLASSES, "train", "")
    with pytest.raises(UserError, match="split train: none of its 1 images has a mask"):
        evaluate_scores(shards, unmasked, thresholds=THRESHOLDS)


def test_published_cams(shared, fill):
    """ResNeSt-50 with the golden parameters on a real image, from pixels to both merged maps."""
    golden = np.load(shared / "golden" / "cam_tta.npz")
    meta = json.loads((shared / "golden" / "classifier_resnest50.json").read_text())
    with torch.device("meta"):
        model = Classifier("resnest50d", 20).eval().to_empty(device="cpu")
    load_published(model, {key: fill.filled(key, shape) for key, shape in meta["state_dict"].items()})
    classes = tuple(f"c{c}" for c in range(20))
    image = shared / "voc12-mini" / "JPEGImages" / "2007_000032.jpg"
    record = Record("2007_000032", image, None, tuple(classes[key - 1] for key in golden["keys"][1:]))
    (found,) = cams_of(model, Index((record,), classes, "train", ""))
    np.testing.assert_array_equal(found.keys, golden["keys"])
    for scale, array in found.scales.items():
        np.testing.assert_allclose(array, golden[f"scale_{scale}"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.strided(), golden["strided"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.full()[:, ::5, ::5], golden["full"], rtol=0, atol=1e-4)


def test_shards_of_maps_are_read_back(maps, shards):
    assert_equal_maps([item for path in shards for item in CamShard(path)], maps[0::2] + maps[1::2], 0)
