"""Pictures: their sizes and what can be seen on them, from data that are made here."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss.data.index import Index, Record
from wsss.data.palette import voc_palette
from wsss.errors import UserError
from wsss.evaluation.scores import WALKS
from wsss.figures.labels import SIDE as LABEL_SIDE
from wsss.figures.labels import label_sheet
from wsss.figures.plots import threshold_curve, training_curve
from wsss.figures.scores import SIDE, score_sheet
from wsss.figures.sheet import INK, PAPER, Row, resize, resize_labels, size_within, write_sheet
from wsss.report.costs import costs_table
from wsss.store.cams import CamMaps
from wsss.store.files import write_png
from wsss.store.label_maps import write_label_shard
from wsss.store.maps import write_shard
from wsss.store.walks import WalkMaps

METRICS = {
    "run": "made-up",
    "threshold": 0.5,
    "miou": 61.5,
    "protocol": {"split": "train"},
    "iou": {"background": 80.0, "cat": 60.0, "dog": None},
    "curve": [
        {"threshold": x / 10, "miou": 60.0 - x, "fp_rate": 50.0 - x, "fn_rate": 10.0 + x} for x in range(1, 9)
    ],
}


def picture(path: Path) -> np.ndarray:
    """The pixels of a PNG."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def has(pixels: np.ndarray, color: tuple[int, int, int]) -> bool:
    """Whether a color occurs."""
    return bool((pixels == color).all(axis=-1).any())


# --- sheets ---


def test_pictures_keep_their_shape_and_label_maps_their_values() -> None:
    assert size_within((375, 500), 200) == (150, 200)
    assert size_within((500, 375), 200) == (200, 150)
    assert size_within((1, 5000), 10) == (1, 10)
    labels = np.array([[0, 255], [20, 0]], np.uint8)
    assert set(np.unique(resize_labels(labels, (7, 5)))) == {0, 20, 255}
    assert resize(np.ones((9, 9), np.float32), (4, 6)).shape == (4, 6)


def test_a_sheet_has_a_place_for_everything(tmp_path: Path) -> None:
    red, blue = (200, 0, 0), (0, 0, 200)
    tall, wide = np.full((40, 20, 3), red, np.uint8), np.full((20, 40, 3), blue, np.uint8)
    rows = [Row("a", [tall, tall]), Row("b " * 99, [wide, wide]), Row("c", [wide, wide])]
    legend = [(f"a class with a long name {i}", (0, 100 + i, 0)) for i in range(9)]
    write_sheet(tmp_path / "s.png", rows, side=40, title="t", headings=("one", "two"), legend=legend)
    pixels = picture(tmp_path / "s.png")
    for color in (red, blue, PAPER, INK, *(color for _, color in legend)):
        assert has(pixels, color), color
    assert (pixels == red).all(axis=-1).sum() == 2 * 20 * 40
    assert (pixels == blue).all(axis=-1).sum() == 4 * 20 * 40
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert (edge == PAPER).all(), "nothing runs out of the sheet"


@pytest.fixture
def cams(tmp_path: Path) -> tuple[Index, Path]:
    """Two images, one without a mask and without labels, and CAMs of which the first is right."""
    mask = np.zeros((60, 80), np.uint8)
    mask[:, :40], mask[:, 38:40] = 2, 255
    write_png(tmp_path / "mask.png", mask, voc_palette())
    write_png(tmp_path / "gray.png", np.full((60, 80, 3), 128, np.uint8))
    records = (
        Record("right", tmp_path / "gray.png", tmp_path / "mask.png", ("dog",)),
        Record("bare", tmp_path / "gray.png", None, ()),
    )
    score = np.zeros((1, 4, 5), np.float32)
    score[:, :, :2] = 3.0
    none = np.zeros((0, 4, 5), np.float32)
    shard = tmp_path / "000.safetensors"
    maps = [
        CamMaps("right", (60, 80), np.array([0, 2]), {1.0: score}),
        CamMaps("bare", (60, 80), np.array([0]), {1.0: none}),
    ]
    write_shard(shard, maps, digest="d")
    return Index(records, ("cat", "dog"), "train", "d"), shard


def test_a_cam_sheet_shows_mask_and_cam_in_the_classes_color(
    tmp_path: Path, cams: tuple[Index, Path]
) -> None:
    index, shard = cams
    score_sheet(tmp_path / "sheet.png", index, [shard], METRICS)
    pixels = picture(tmp_path / "sheet.png")
    dog = tuple(voc_palette()[2].tolist())
    over_gray = tuple(int(0.65 * part + 0.35 * 128) for part in dog)
    assert has(pixels, dog), "in the legend"
    covered = (pixels == over_gray).all(axis=-1).sum()
    height = size_within((60, 80), SIDE)[0]
    assert 0.7 * SIDE * height < covered < 1.1 * SIDE * height, "half of the mask and half of the CAM's mask"
    cat = tuple(voc_palette()[1].tolist())
    assert not has(pixels, cat), "a class that does not occur is not in the legend"


def test_a_cam_sheet_shows_so_many_images(tmp_path: Path, cams: tuple[Index, Path]) -> None:
    index, shard = cams
    score_sheet(tmp_path / "one.png", index, [shard], METRICS, shown=1)
    score_sheet(tmp_path / "all.png", index, [shard], METRICS, shown=9)
    assert picture(tmp_path / "one.png").shape == picture(tmp_path / "all.png").shape
    assert (picture(tmp_path / "one.png") == PAPER).mean() > (picture(tmp_path / "all.png") == PAPER).mean()


def test_a_sheet_of_walks_says_so(tmp_path: Path, cams: tuple[Index, Path]) -> None:
    index, _ = cams
    shard = tmp_path / "walks.safetensors"
    low = np.full((1, 15, 20), 0.2, np.float32)
    low[:, 0, 0] = 1
    right = WalkMaps("right", (60, 80), np.array([0, 2]), {1.0: low})
    write_shard(shard, [right, WalkMaps("bare", (60, 80), np.array([0]), {1.0: low[:0]})], digest="d")
    score_sheet(tmp_path / "sheet.png", index, [shard], METRICS, kind=WALKS)
    dog = tuple(int(0.65 * part + 0.35 * 128) for part in voc_palette()[2].tolist())
    covered = (picture(tmp_path / "sheet.png") == dog).all(axis=-1).sum()
    height = size_within((60, 80), SIDE)[0]
    assert 0.3 * SIDE * height < covered < 0.6 * SIDE * height, "the mask; one score exceeds the threshold"


def test_a_label_sheet_hatches_what_is_open(tmp_path: Path, cams: tuple[Index, Path]) -> None:
    index, _ = cams
    labels = np.full((60, 80), 255, np.uint8)
    labels[:, 60:] = 2
    write_label_shard(tmp_path / "0", [("right", labels), ("bare", labels * 0)], digest="d")
    metrics = {"run": "made-up", "miou": 50.0, "coverage": 25.0}
    label_sheet(tmp_path / "sheet.png", index, [tmp_path / "0"], metrics, name="affinity labels")
    pixels = picture(tmp_path / "sheet.png")
    area = LABEL_SIDE * size_within((60, 80), LABEL_SIDE)[0]
    open_ = (pixels == voc_palette()[255]).all(axis=-1).sum()
    assert 0.75 / 3 * area < open_ < 0.75 / 2.5 * area, "a third of the open part is stripes"
    dog = tuple(int(0.65 * part + 0.35 * 128) for part in voc_palette()[2].tolist())
    covered = (pixels == dog).all(axis=-1).sum()
    assert 0.7 * area < covered < 0.78 * area, "half of the mask and a quarter of the labels"


# --- curves ---


def test_curves_are_drawn(tmp_path: Path) -> None:
    threshold_curve(tmp_path / "threshold.png", METRICS)
    rows = ["step,epoch,lr/generator,lr/oc,loss/tiles,loss/noc,images_per_second,data_share,memory_gb"]
    rows += [f"{step},{step / 10},{1 - step / 50},0.5,{3 / step},0.7,20,0.1,1.5" for step in range(1, 40)]
    (tmp_path / "training.csv").write_text("\n".join(rows) + "\n")
    training_curve(tmp_path / "training.png", tmp_path / "training.csv", name="made-up: training of priors")
    for name in ("threshold", "training"):
        pixels = picture(tmp_path / f"{name}.png")
        assert pixels.shape[0] > 400 and pixels.shape[1] > 1000 and len(np.unique(pixels)) > 50


def test_a_training_that_was_looked_at_has_one_picture_more(tmp_path: Path) -> None:
    rows = ["step,epoch,lr/segmentation,loss/segmentation,images_per_second,data_share,memory_gb,val/miou"]
    rows += ["1,0.5,0.1,2.5,20,0.1,1.5,", "2,1,0.1,2.0,20,0.1,1.5,40.5", "4,2,,,,,,45", "5,2.5,0.1,1,20,0,2,"]
    (tmp_path / "training.csv").write_text("\n".join(rows) + "\n")
    training_curve(tmp_path / "looked.png", tmp_path / "training.csv", name="segmentation")
    (tmp_path / "training.csv").write_text("\n".join([rows[0], rows[1]]) + "\n")
    training_curve(tmp_path / "not.png", tmp_path / "training.csv", name="segmentation")
    wide, narrow = (picture(tmp_path / f"{name}.png").shape[1] for name in ("looked", "not"))
    assert wide > 1.2 * narrow


def test_a_training_without_rows_is_named(tmp_path: Path) -> None:
    (tmp_path / "training.csv").write_text("step,epoch\n")
    with pytest.raises(UserError, match=r"training\.csv: no rows"):
        training_curve(tmp_path / "training.png", tmp_path / "training.csv", name="")


# --- costs ---


def test_costs_of_a_rules_jobs_are_put_together(tmp_path: Path) -> None:
    header = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
    jobs = {
        "make_cams.train.000": "70.0\t0:01:10\t400.4\t1\t1\t1\t1\t1\t90\t60.0\n",
        "make_cams.train.001": "50.0\t0:00:50\t300.0\t1\t1\t1\t1\t1\t90\t45.0\n",
        "index_images.train": "0.1\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA\n",
    }
    for name, job in jobs.items():
        (tmp_path / f"{name}.tsv").write_text(header + job)
    assert costs_table(tmp_path).splitlines() == [
        "| rule | jobs | longest | together | CPU | peak memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| make_cams | 2 | 1m10s | 2m00s | 1m45s | 400 MB |",
        "| index_images | 1 | 0s | 0s | 0s | 0 MB |",
    ]


def test_a_run_that_has_made_nothing_has_no_costs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no benchmarks of finished jobs"):
        costs_table(tmp_path / "results")


def test_dollars_in_class_names_are_no_formula(tmp_path: Path) -> None:
    """Class names that matplotlib could not parse as mathtext, and one that it would show otherwise."""
    iou = {"background": 80.0, "Ba$$in": 30.0, "cost $5 & $10": 20.0, "a$b_$": 5.0}
    threshold_curve(tmp_path / "dollars.png", {**METRICS, "iou": iou})
    plain = {name.replace("$", "S"): value for name, value in iou.items()}
    threshold_curve(tmp_path / "plain.png", {**METRICS, "iou": plain})
    shown, letters = picture(tmp_path / "dollars.png"), picture(tmp_path / "plain.png")
    assert shown.shape == letters.shape
    ink = [(pixels.min(axis=-1) < 128).sum() for pixels in (shown, letters)]
    assert abs(int(ink[0]) - int(ink[1])) < 0.01 * ink[1], "a $ takes a letter's place"
