"""Masks of the segmentation network: test-time augmentation, the CRF beside it, and the server's archive."""

import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.chain import BACKBONE, CLASSES, SIZES, Toy
from torch.nn import functional

from workflow.scripts.make_masks import make_masks
from workflow.scripts.pack_masks import pack_masks
from wsss.config import MaskCrfConfig
from wsss.crf import refine_deeplab, refine_mixed
from wsss.data.images import read_image
from wsss.data.index import Index
from wsss.data.palette import voc_palette
from wsss.data.voc import VOC_CLASSES
from wsss.errors import UserError
from wsss.exports.server_archive import write_archive
from wsss.inference.masks import SegmentationNetwork, mask_of, masks_of, segmented
from wsss.inference.stacks import rescale
from wsss.models import DeepLabV3Plus
from wsss.store.files import write_png
from wsss.store.label_maps import LabelShard, write_label_shard
from wsss.store.networks import Header, save_model

pytestmark = pytest.mark.usefixtures("here")


SCALES = (0.5, 1.0)


@pytest.fixture(scope="module")
def model() -> DeepLabV3Plus:
    torch.manual_seed(0)
    return DeepLabV3Plus(BACKBONE, len(CLASSES) + 1).eval()


def network(model: DeepLabV3Plus, flip: bool = True) -> SegmentationNetwork:
    return SegmentationNetwork(model, torch.device("cpu"), "float32", flip)


# ---- test-time augmentation --------------------------------------------------------------------------------


@pytest.mark.parametrize("flip", [True, False])
def test_probabilities_are_of_the_mean_logits(toy: Toy, model: DeepLabV3Plus, flip: bool) -> None:
    """Of all scales and mirror images, each at the image's size, written out."""
    found = list(segmented(network(model, flip), toy.index, SCALES, batch=1, workers=0))
    assert [image_id for image_id, _, _ in found] == [record.id for record in toy.index]
    for (_, path, probabilities), size in zip(found, SIZES, strict=True):
        assert probabilities.shape == (4, *size) and probabilities.dtype == np.float32
        logits = []
        for scale in SCALES:
            image = model.normalization(np.asarray(rescale(read_image(path), scale)))[None]
            with torch.no_grad():
                views = [model(image), model(image.flip(-1)).flip(-1)] if flip else [model(image)]
            logits += [functional.interpolate(view, size, mode="bilinear") for view in views]
        expected = torch.stack(logits).mean(0).softmax(1)[0]
        np.testing.assert_allclose(probabilities, expected.numpy(), rtol=1e-4, atol=1e-6)


def test_stacks_of_images_give_what_each_gives_alone(
    toy: Toy, model: DeepLabV3Plus, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = list(segmented(network(model), toy.index, SCALES, batch=1, workers=0))
    together = network(model)
    monkeypatch.setattr(together, "loading", lambda batch, workers: (batch, workers))
    stacked = list(segmented(together, toy.index, SCALES, batch=3, workers=0))
    for one, other in zip(alone, stacked, strict=True):
        assert one[:2] == other[:2]
        np.testing.assert_allclose(one[2], other[2], rtol=1e-4, atol=1e-6)


def test_logits_that_are_not_finite_are_named(toy: Toy) -> None:
    broken = DeepLabV3Plus(BACKBONE, 4)
    with torch.no_grad():
        next(broken.decoder.parameters()).fill_(float("nan"))
    with pytest.raises(UserError, match=r"images id0: a logit is not finite in float32; use another"):
        list(segmented(network(broken), toy.index, SCALES, batch=1, workers=0))


# ---- the CRF -----------------------------------------------------------------------------------------------


def test_masks_are_the_most_probable_classes_after_the_crf(toy: Toy, model: DeepLabV3Plus) -> None:
    _, path, probabilities = next(segmented(network(model), toy.index, SCALES, batch=1, workers=0))
    image = np.asarray(read_image(path))
    expected = {
        MaskCrfConfig(iterations=0): probabilities,
        MaskCrfConfig(iterations=2): refine_deeplab(image, probabilities, iterations=2),
        MaskCrfConfig(iterations=2, kind="mixed", gt_prob=0.6): refine_mixed(
            image, probabilities, iterations=2, gt_prob=0.6
        ),
    }
    for crf, marginals in expected.items():
        mask = mask_of(path, probabilities, crf)
        assert mask.dtype == np.uint8 and np.array_equal(mask, marginals.argmax(0))


@pytest.mark.parametrize("waiting", [None, 1, 2])
def test_several_threads_make_the_same_masks_in_the_same_order(
    toy: Toy, model: DeepLabV3Plus, waiting: int | None
) -> None:
    crf = MaskCrfConfig(iterations=2)
    found = list(segmented(network(model), toy.index, [1.0], batch=1, workers=0))
    one, two = (list(masks_of(found, crf, threads=threads, waiting=waiting)) for threads in (1, 4))
    assert [image_id for image_id, _ in two] == [record.id for record in toy.index]
    assert all(np.array_equal(mask, other) for (_, mask), (_, other) in zip(one, two, strict=True))


# ---- the stage ---------------------------------------------------------------------------------------------


def saved(toy: Toy, model: DeepLabV3Plus, digest: str) -> Path:
    """The network in a file."""
    path = toy.root / "segmentation.safetensors"
    save_model(path, model, Header("DeepLabV3Plus", BACKBONE, 16, CLASSES, digest))
    return path


def test_a_shard_of_masks_is_written(toy: Toy, model: DeepLabV3Plus, tmp_path: Path) -> None:
    """Of a split without labels and masks, too, as VOC's test split is."""
    bare = tuple(replace(record, mask=None, labels=()) for record in toy.index)
    replace(toy.index, records=bare, split="test").write(toy.index_path)
    out, path = tmp_path / "masks" / "000", saved(toy, model, toy.run.digest("segmentation"))
    step = toy.step("masks", model=path, out=out)
    make_masks(step)
    made = LabelShard(out)
    assert made.digest == step.digest and made.ids == tuple(record.id for record in toy.index)
    direct = masks_of(
        segmented(network(model), toy.index, step.section.scales, batch=1, workers=0),
        step.section.crf,
        threads=1,
    )
    for (image_id, mask), size in zip(direct, SIZES, strict=True):
        assert mask.shape == size and np.array_equal(made[image_id], mask)
    with Image.open(made.path("id0")) as image:
        assert image.mode == "P" and image.getpalette() == voc_palette().ravel().tolist()
    with pytest.raises(UserError, match=r"segmentation\.safetensors: made from another configuration"):
        make_masks(toy.step("masks", model=saved(toy, model, "0"), out=out))


# ---- the evaluation server's archive -----------------------------------------------------------------------


@pytest.fixture
def submission(toy: Toy) -> tuple[Index, dict[str, LabelShard]]:
    """VOC's test split, of six images, and masks of it."""
    index = replace(toy.index, classes=VOC_CLASSES, split="test")
    masks = [
        (record.id, np.full(size, i, np.uint8))
        for i, (record, size) in enumerate(zip(index, SIZES, strict=True))
    ]
    write_label_shard(toy.root / "test", masks, digest="d", palette=voc_palette())
    shard = LabelShard(toy.root / "test")
    return index, dict.fromkeys(shard.ids, shard)


def test_the_archive_is_what_the_server_takes(
    submission: tuple[Index, dict[str, LabelShard]], tmp_path: Path
) -> None:
    index, masks = submission
    write_archive(tmp_path / "a.tar", masks, index)
    with tarfile.open(tmp_path / "a.tar") as archive:
        names = archive.getnames()
        assert names == [f"results/VOC2012/Segmentation/comp6_test_cls/{record.id}.png" for record in index]
        for i, (name, size) in enumerate(zip(names, SIZES, strict=True)):
            content = archive.extractfile(name)
            assert content is not None
            with Image.open(content) as image:
                assert image.mode == "P" and (image.height, image.width) == size
                assert set(np.unique(np.asarray(image)).tolist()) == {i}
                assert (image.getpalette() or [])[3:6] == [128, 0, 0], "an aeroplane is dark red"
    write_archive(tmp_path / "b.tar", masks, index)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_what_the_server_would_not_take_is_refused(
    submission: tuple[Index, dict[str, LabelShard]], tmp_path: Path
) -> None:
    index, masks = submission
    places = {image_id: masks[image_id].path(image_id) for image_id in masks}
    palette = voc_palette()
    write_png(places["id0"], np.full(SIZES[0], 1, np.uint8))
    write_png(places["id1"], np.full((9, 9), 1, np.uint8), palette)
    write_png(places["id2"], np.full(SIZES[2], 255, np.uint8), palette)
    write_png(places["id3"], np.full(SIZES[3], 1, np.uint8), palette[::-1].copy())
    places["id4"].write_bytes(b"no image")
    with pytest.raises(UserError) as caught:
        write_archive(tmp_path / "a.tar", masks, index)
    _, *faults = str(caught.value).split("\n")
    expected = [
        "id0.png: mode L, but must be P",
        "id1.png: 9 x 9, but its image is 64 x 48",
        "id2.png: value 255, but 0 to 20 are allowed",
        "id3.png: its palette is not VOC's",
        "id4.png: cannot be read",
    ]
    assert len(faults) == len(expected)
    assert all(text in fault for text, fault in zip(expected, faults, strict=True)), faults
    assert not (tmp_path / "a.tar").exists()


def test_only_vocs_classes_go_to_the_server(toy: Toy, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="split train: its classes are not VOC's"):
        pack_masks(toy.step("masks", masks=[toy.truth("masks")], out=tmp_path / "a.tar"))
