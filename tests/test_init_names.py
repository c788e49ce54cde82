"""`wsss init` with names that YAML, spreadsheets and file systems read in their own way."""

from pathlib import Path

import numpy as np
import pytest

from wsss import cli
from wsss.config import FolderDataset
from wsss.config.document import document_text, parse_document
from wsss.config.recipe import recipe
from wsss.data.folder import folder_index
from wsss.runs.run import load_run
from wsss.store.files import write_png, write_text

#: what a reader of YAML may take for a number, nothing, a truth value, a date, a reference or a comment
NAMES = (
    *(
        "1e3",
        "2E5",
        "null",
        "~",
        "yes",
        "No",
        "on",
        "true",
        "0x1F",
        "0o17",
        "017",
        "1_000",
        "1:30",
        ".5",
        ".inf",
    ),
    *(
        "-",
        "?",
        "*a",
        "&a",
        "!x",
        "%x",
        "@x",
        "`x",
        "a: b",
        "a #b",
        "#b",
        "[a",
        "{a",
        "'a",
        '"a',
        "=",
        "<<",
        "|x",
    ),
    *(
        "2026-01-31",
        "Käfer",
        "猫",
        "é" * 40,
        "a\\b",
        "a  b c d e f g h i j k l m n o p q r s t u v w x y z 0 1",
    ),
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def photographs(folder: str, labels: list[str], *, split: bool = False) -> str:
    """A photograph for each label in a folder, and the table of them."""
    rows = []
    for seed, label in enumerate(labels):
        pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        write_png(Path(folder, f"{seed:03d}.png"), pixels)
        quoted = label.replace('"', '""')
        rows.append(f'{seed:03d},"{quoted}"' + (f",{'val' if seed % 4 == 3 else 'train'}" if split else ""))
    header = "image,labels,split" if split else "image,labels"
    write_text(f"{folder}.csv", "\n".join([header, *rows]) + "\n")
    return f"{folder}.csv"


def test_every_class_is_read_as_it_was_written() -> None:
    wanted = [name for name in NAMES if "|" not in name]
    table = photographs("fotos", [name for name in wanted for _ in range(2)])
    assert cli.main(["init", "fotos", "--labels", table]) == 0
    assert sorted(load_run("fotos").config.dataset.classes or ()) == sorted(wanted)  # type: ignore[union-attr]


@pytest.mark.parametrize("folder", ["1e5", "null", "0x1F", "007"])
def test_a_folder_named_like_a_number(folder: str) -> None:
    table = photographs(folder, ["cat", "dog"] * 6)
    assert cli.main(["init", folder, "--labels", table, "--name", "run"]) == 0
    data = load_run("run").config.dataset
    assert (data.images, data.labels) == (Path(folder), Path(table))  # type: ignore[union-attr]


def test_a_name_of_244_bytes() -> None:
    folder = "é" * 20 + "x" * 204
    table = photographs(folder, ["cat", "dog"] * 6)
    assert cli.main(["init", folder, "--labels", table, "--name", "n" * 244]) == 0
    assert load_run("n" * 244).config.dataset.images == Path(folder)  # type: ignore[union-attr]


def test_documents_are_read_as_they_were_written() -> None:
    values = {"a": {"classes": list(NAMES), **{name: name for name in NAMES if name != "<<"}}}
    assert parse_document(document_text(values), "x.yaml").values == values
    for images, side in ((10, 60), (5000, 1800)):
        values = recipe(images, side)
        assert parse_document(document_text(values), "x.yaml").values == values


def test_options_of_the_table_masks_and_overlap() -> None:
    photographs("fotos", ["cat", "cat"] * 6, split=True)
    text = Path("fotos.csv").read_text().replace("image,labels", "file,tags")
    write_text("fotos.csv", text + text.splitlines()[1].replace("train", "val") + "\n")
    for seed in range(12):
        write_png(Path("masks", f"{seed:03d}.png"), np.uint8(255) * (np.arange(600).reshape(20, 30) > 99))
    columns = ["--image-column", "file", "--label-column", "tags"]
    masks = ["--masks", "masks", "--classes", "cat", "--mask-values", "0=background,255=cat"]
    given = ["init", "fotos", "--labels", "fotos.csv", *columns, *masks, "--masks-orientation", "seen"]
    assert cli.main(given) == 1
    assert cli.main([*given, "--allow-overlap"]) == 0
    data = load_run("fotos").config.dataset
    assert data.kind == "folder" and data.allow_overlap and data.masks_orientation == "seen"
    assert (data.image_column, data.label_column) == ("file", "tags")
    assert data.mask_values == {"0": "background", "255": "cat"}


def test_nothing_is_left_of_a_failed_call(capsys: pytest.CaptureFixture[str]) -> None:
    table = photographs("fotos", ["cat"] * 3)
    assert cli.main(["init", "fotos", "--labels", table]) == 1
    assert "training photographs; there must be 4" in capsys.readouterr().err and not Path("config").exists()


def test_a_backslash_is_a_sign_of_a_name_or_parts_folders(tmp_path: Path) -> None:
    for name in ("x\\y.png", "sub/d.png"):
        write_png(tmp_path / "photos" / name, np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "l.csv").write_text("image,labels,split\nx\\y.png,dog,train\nsub\\d.png,dog,train\n")
    data = FolderDataset(kind="folder", images=tmp_path / "photos", labels=tmp_path / "l.csv")
    found = [record.image.relative_to(data.images).as_posix() for record in folder_index(data, "train")]
    assert found == ["x\\y.png", "sub/d.png"]
