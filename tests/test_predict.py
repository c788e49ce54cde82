"""Masks of photographs that are in no data set: of any size and form, in files and folders."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.chain import BACKBONE, CLASSES, Toy

import wsss.exports.predictions
from workflow.scripts.make_masks import make_masks
from wsss.cli import main
from wsss.data.palette import voc_palette
from wsss.data.photos import enlarged, find_photos, within
from wsss.errors import UserError
from wsss.inference.trained import trained_segmenter
from wsss.models import DeepLabV3Plus
from wsss.runs.run import load_run
from wsss.store.files import write_text
from wsss.store.label_maps import LabelShard
from wsss.store.networks import Header, save_model


@pytest.fixture
def trained(toy: Toy) -> Toy:
    """The toy run with its segmentation network where a rule would put it."""
    torch.manual_seed(0)
    header = Header("DeepLabV3Plus", BACKBONE, 16, CLASSES, toy.run.digest("segmentation"))
    save_model(toy.run.output("segmentation"), DeepLabV3Plus(BACKBONE, len(CLASSES) + 1), header)
    return toy


def picture(path: Path, size: tuple[int, int], mode: str = "RGB", **options: Any) -> Path:
    """A photograph of noise. size: width, height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(noise).convert(mode).save(path, **options)
    return path


def predicted(*arguments: str, out: str = "out") -> dict[str, dict[str, Any]]:
    """What the command writes into its report, by photograph."""
    assert main(["predict", *arguments, "--run", "toy", "--out", out]) == 0
    report = json.loads(Path(out, "predictions.json").read_text())
    assert report["run"] == "toy" and report["classes"] == list(CLASSES)
    return {row["photograph"]: row for row in report["photographs"]}


def mask(name: str, out: str = "out") -> np.ndarray:
    with Image.open(Path(out, "masks", f"{name}.png")) as image:
        assert image.mode == "P" and image.getpalette() == voc_palette().ravel().tolist()
        return np.asarray(image)


def test_masks_are_those_of_the_stage(trained: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same images; and photographs in several groups are the same as in one."""
    network = trained.run.output("segmentation")
    make_masks(trained.step("masks", model=network, out=Path("expected")))
    monkeypatch.setattr(wsss.exports.predictions, "AT_ONCE", 2)
    rows = predicted(*(str(record.image) for record in trained.index), "--side", "0")
    assert len(rows) == len(trained.index)
    for record, (image_id, expected) in zip(trained.index, LabelShard("expected"), strict=True):
        assert record.id == image_id
        found = mask(record.image.stem)
        assert np.array_equal(found, expected)
        row = rows[str(record.image)]
        assert (row["height"], row["width"]) == expected.shape
        values, counts = np.unique(found, return_counts=True)
        names = ["background", *CLASSES]
        assert {name: area["pixels"] for name, area in row["areas"].items()} == {
            names[value]: count for value, count in zip(values, counts, strict=True)
        }
        assert sum(area["percent"] for area in row["areas"].values()) == pytest.approx(100, abs=0.05)
        with Image.open(Path("out", row["overlay"])) as overlay:
            assert overlay.size == (row["width"], row["height"]) and overlay.format == "JPEG"


def test_confidence_is_the_probability_of_the_label(trained: Toy) -> None:
    photo = picture(Path("in/a.png"), (50, 40))
    rows = predicted("in", "--confidence", "--side", "0")
    with Image.open(Path("out", rows[str(photo)]["confidence"])) as image:
        found = np.asarray(image, np.float64) / 255
    labels = mask("a")
    assert found.shape == labels.shape and 1 / (len(CLASSES) + 1) - 0.01 < found.min() < found.max() <= 1
    for value, name in enumerate(["background", *CLASSES]):
        if (labels == value).any():
            mean = rows[str(photo)]["areas"][name]["confidence"]
            assert mean == pytest.approx(found[labels == value].mean(), abs=0.005)
    assert main(["export-masks", "out", "--format", "coco", "--least", "2"]) == 0
    annotations = json.loads(Path("out/export/coco/annotations/instances_predictions.json").read_text())
    assert annotations["annotations"] and all(0 < each["score"] <= 1 for each in annotations["annotations"])


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (700, 500)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_photographs_are_of_any_size(trained: Toy, size: tuple[int, int], mode: str) -> None:
    path = picture(Path("photo.png"), size, mode)
    predicted(str(path))
    assert mask("photo").shape == size[::-1]


def test_large_photographs_are_looked_at_smaller(trained: Toy) -> None:
    """At the largest size of the training, and what is found there is made as large again."""
    large = picture(Path("large.png"), (400, 300))
    side = trained.run.config.segmentation.training.augmentation.max_side
    assert side == 56
    with Image.open(large) as image:
        small = within(image, side)
        assert small.size == (56, 42) and within(image, 0) is image and within(small, side) is small
        small.save("small.png")
    predicted("large.png", "small.png")
    assert np.array_equal(mask("large"), enlarged(mask("small"), (300, 400)))


def test_a_photograph_is_turned_as_viewers_turn_it(trained: Toy) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    picture(Path("upright.png"), (60, 40))
    with Image.open("upright.png") as image:
        image.rotate(90, expand=True).save("sideways.png", exif=exif)
    rows = predicted("upright.png", "sideways.png")
    assert (rows["sideways.png"]["width"], rows["sideways.png"]["height"]) == (60, 40)
    assert np.array_equal(mask("sideways"), mask("upright"))


def test_folders_are_searched(trained: Toy) -> None:
    for name in ("trip/b.JPG", "trip/day 2/a.png", "trip/day 2/b.webp", "trip/.thumbnails/b.png"):
        picture(Path(name), (40, 30))
    write_text(Path("trip/notes.txt"), "none")
    once = predicted("trip", out="trip/out")
    assert list(once) == ["trip/b.JPG", "trip/day 2/a.png", "trip/day 2/b.webp"]
    assert [row["mask"] for row in once.values()] == [
        "masks/b.png",
        "masks/day 2/a.png",
        "masks/day 2/b.png",
    ]
    assert predicted("trip", out="trip/out") == once, "its own masks are no photographs"


def test_what_is_no_photograph_is_told_before_anything_is_made(
    trained: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(Path("fine/a.png"), (40, 30))
    picture(Path("a.jpg"), (40, 30))
    write_text(Path("broken.jpg"), "no image")
    Path("empty").mkdir()
    given = ["fine", "a.jpg", "broken.jpg", "empty", "gone.jpg"]
    assert main(["predict", *given, "--run", "toy", "--out", "out"]) == 1
    printed = capsys.readouterr().err
    assert "a.jpg: has the name of fine/a.png" in printed and "broken.jpg: image does not open" in printed
    assert "empty: holds no photograph (.apng, " in printed and "gone.jpg: no such image" in printed
    assert "Traceback" not in printed and not Path("out").exists()


def test_names_that_fill_what_a_file_system_takes(trained: Toy) -> None:
    """As in ../shared/cases/long-names: 244 bytes without the suffix, and more."""
    names = ["é" * 60 + "x" * 124, "y" * 251]
    for name in names:
        picture(Path("long", f"{name}.png"), (40, 30))
    rows = predicted("long")
    assert {row["mask"] for row in rows.values()} == {f"masks/{name}.png" for name in names}
    for name in names:
        assert mask(name).shape == (30, 40) and Path("out", "overlays", f"{name}.jpg").is_file()


def test_linked_folders_are_searched_and_what_is_left_out_is_named(
    trained: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(Path("disk/a.JPG"), (40, 30))
    picture(Path("disk/b.avif"), (40, 30))
    Path("disk/c.HEIC").write_bytes(b"x")
    write_text(Path("disk/notes.txt"), "none")
    Path("trip").mkdir()
    Path("trip/day").symlink_to("../disk")
    Path("disk/round").symlink_to("../trip")
    assert list(predicted("trip")) == ["trip/day/a.JPG", "trip/day/b.avif"]
    said = capsys.readouterr().err
    assert "trip: 2 files are left out: day/c.HEIC (HEIC: not read; install pillow-heif)" in said
    assert "day/notes.txt (no image format that is read)" in said


def test_a_photograph_that_does_not_decode_is_told_first(
    trained: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    path = picture(Path("cut.jpg"), (400, 300))
    path.write_bytes(path.read_bytes()[:9000])
    picture(Path("a.jpg"), (40, 30))
    assert main(["predict", "a.jpg", "cut.jpg", "--run", "toy", "--out", "out"]) == 1
    assert "cut.jpg: image does not decode" in capsys.readouterr().err and not Path("out").exists()


def test_a_photograph_may_be_named_twice(toy: Toy) -> None:
    picture(Path("fine/a.png"), (40, 30))
    assert len(find_photos([Path("fine"), Path("fine/a.png")], leave_out=Path("out"))) == 1


def test_a_network_that_is_not_made_is_told(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    picture(Path("a.png"), (40, 30))
    assert main(["predict", "a.png", "--run", "toy"]) == 1
    path = "results/toy/models/segmentation.safetensors"
    assert f"error: {path}: no such file; to have it: snakemake --cores all {path}" in capsys.readouterr().err


def test_a_network_of_another_configuration_is_refused(trained: Toy) -> None:
    config = json.loads(Path("config/toy.yaml").read_text())
    config["segmentation"]["training"]["optimisation"]["epochs"] = 3
    write_text(Path("config/toy.yaml"), json.dumps(config))
    with pytest.raises(
        UserError, match=r"made from another configuration than config/toy\.yaml now describes"
    ):
        trained_segmenter(load_run("toy"))


def test_a_side_is_a_number_of_pixels(trained: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "a.png", "--run", "toy", "--side", "-1"]) == 1
    assert "error: --side -1: must be a number of pixels, or 0" in capsys.readouterr().err
