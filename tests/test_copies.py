"""Smaller copies of photographs: upright, their masks with them, and none made twice."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss import cli
from wsss.data.copies import smaller_copies
from wsss.errors import UserError
from wsss.runs.run import load_run
from wsss.store.files import write_text

#: of the photograph as it is stored, H x W; viewers turn it by a quarter
STORED = (300, 400)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`photos/trip/sideways.jpg`, its lower left quarter white where it is shown; its mask; a small one."""
    monkeypatch.chdir(tmp_path)
    pixels = np.zeros((*STORED, 3), np.uint8)
    pixels[150:, 200:] = 255
    turned = Image.Exif()
    turned[274] = 6  # the orientation: a quarter turn clockwise
    Path("photos/trip").mkdir(parents=True)
    Path("masks/trip").mkdir(parents=True)
    Image.fromarray(pixels).save("photos/trip/sideways.jpg", exif=turned)
    Image.fromarray(pixels[..., 0] // 255 * 7).save("masks/trip/sideways.png")
    Image.fromarray(pixels[:50, :60]).save("photos/small.png")
    return tmp_path


def test_copies_are_upright_and_small(root: Path) -> None:
    images, masks = smaller_copies(Path("photos"), Path("masks"), 100, Path("data/trip"))
    assert masks is not None
    with Image.open(images / "trip" / "sideways.jpg") as image:
        assert image.size == (75, 100) and not image.getexif()
        pixels = np.asarray(image.convert("L"))
    labels = np.asarray(Image.open(masks / "trip" / "sideways.png"))
    assert labels.shape == (100, 75) and set(np.unique(labels)) == {0, 7}
    assert (labels[60:, :30] == 7).all() and (labels[:40] == 0).all() and (labels[:, 45:] == 0).all()
    assert ((pixels > 128) == (labels == 7)).mean() > 0.97
    assert Image.open(images / "small.png").size == (60, 50), "what is small enough keeps its size"
    assert not (masks / "small.png").exists()


def test_a_mask_may_be_upright_already(root: Path) -> None:
    with Image.open("masks/trip/sideways.png") as mask:
        mask.rotate(-90, expand=True).save("masks/trip/sideways.png")
    test_copies_are_upright_and_small(root)


def test_a_copy_is_made_once(root: Path) -> None:
    def when() -> list[int]:
        smaller_copies(Path("photos"), Path("masks"), 100, Path("out"))
        return [path.stat().st_mtime_ns for path in sorted(Path("out").rglob("*.*"))]

    before = when()
    assert len(before) == 3 and when() == before
    Path("photos/small.png").touch()
    assert sum(now != then for now, then in zip(when(), before, strict=True)) == 1


def test_a_mask_that_does_not_fit_is_named(root: Path) -> None:
    Image.new("L", (40, 30)).save("masks/trip/sideways.png")
    with pytest.raises(
        UserError,
        match=r"sideways\.png: mask is 40x30 but photos/trip/sideways\.jpg is 300x400 as shown",
    ):
        smaller_copies(Path("photos"), Path("masks"), 100, Path("out"))
    Image.new("I;16", (400, 300)).save("masks/trip/sideways.png")
    with pytest.raises(
        UserError, match=r"sideways\.png: mask is an image of mode I;16; must be gray or palette"
    ):
        smaller_copies(Path("photos"), Path("masks"), 100, Path("out"))


def test_a_run_on_copies(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{number}.jpg,dog\n" for number in range(6)]
    for number in range(6):
        Image.new("RGB", (2400, 1600), (40 * number, 0, 0)).save(f"photos/{number}.jpg")
    write_text(Path("labels.csv"), "image,labels\n" + "".join(rows))
    given = ["init", "photos", "--labels", "labels.csv"]
    assert cli.main(given) == 1
    assert "has a side of 2400 px; allowed are 2000" in capsys.readouterr().err
    assert cli.main([*given, "--shrink", "9"]) == 1
    assert "--shrink 9: allowed are 64 to 2000 px" in capsys.readouterr().err
    assert cli.main([*given, "--shrink", "200"]) == 0
    assert "200 px in the median" in capsys.readouterr().out
    assert load_run("photos").config.dataset.images == Path("data/photos/images")  # type: ignore[union-attr]
