"""The inputs of ../shared/cases, each made by its own script, and what is said of them now."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.workflow import command

from wsss import cli
from wsss.data.index import Index
from wsss.data.palette import read_mask
from wsss.runs.run import load_run

BAD_COCO = {
    "dupname": "images 1 and 99: both are IMG_0000.jpg; each file may be listed once",
    "dupid": "image 1: is listed twice; each id may be listed once",
    "zero": "image 1 (IMG_0000.jpg): width 0, height 0; each must be a whole number",
    "float": "image 1 (IMG_0000.jpg): width 56.0, height 40.0; each must be a whole number",
    "text": "image 1 (IMG_0000.jpg): width '56', height '40'; each must be a whole number",
    "null": "image 1 (IMG_0000.jpg): width None, height None; each must be a whole number",
    "noname": "category 1: name None; must be a text",
    "badrle": "IMG_0000.jpg: annotation 1 has the run lengths 'hello world'; allowed are whole numbers",
    "negrle": "IMG_0000.jpg: annotation 1 has the run lengths [2300, -100, 40]; allowed are whole numbers",
    "nan": "IMG_0000.jpg: annotation 1 has the x coordinate nan; allowed: numbers from -56 to 112",
    "huge": "IMG_0000.jpg: annotation 1 has the x coordinate -1000000000.0; allowed: numbers from -56 to 112",
}


@pytest.fixture
def case(
    request: pytest.FixtureRequest, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A fresh directory with what the case's make.py writes; its name is the fixture's parameter."""
    script = shared / "cases" / request.param / "make.py"
    if not script.is_file():
        pytest.skip(f"no case {request.param} at {script.parent}")
    paths = [str(Path(__file__).resolve().parents[1]), str(shared / "cases")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    subprocess.run([sys.executable, str(script)], cwd=tmp_path, env=environment, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The status of `wsss init`, and all that it says."""
    status = cli.main(["init", *arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.err and "this is a bug" not in said.err
    return status, said.out + said.err


def snakemake(directory: Path, *arguments: str) -> tuple[int, str]:
    """The status of Snakemake, and what it says."""
    called = [*command(*arguments), "--cores", "1", "--keep-going"]
    done = subprocess.run(called, cwd=directory, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("case", ["class-1e3"], indirect=True)
def test_a_class_named_like_a_number(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(capsys, "fotos", "--labels", "labels.csv")[0] == 0
    assert load_run("fotos").config.dataset.classes == ("1e3", "2e5")  # type: ignore[union-attr]


@pytest.mark.parametrize("case", ["coco-bug-messages"], indirect=True)
def test_coco_files_end_with_a_named_fault(case: Path) -> None:
    targets = [f"results/{name}/index/train.csv" for name in ("sub", "sid", *BAD_COCO)]
    status, printed = snakemake(case, *targets)
    assert status == 1 and "Traceback" not in printed and "this is a bug" not in printed
    for name, said in BAD_COCO.items():
        log = (case / f"results/{name}/logs/paint_masks.train.log").read_text()
        assert f"error: {name}/annotations/instances_train.json" in log and said in log, log
    for name in ("sub", "sid"):
        index = Index.read(case / f"results/{name}/index/train.csv")
        assert len({record.id for record in index}) == 8 and index.labels().sum() == 8
        for record in index:
            assert record.mask is not None and (case / record.mask).is_file()


@pytest.mark.parametrize("case", ["exif-180"], indirect=True)
def test_masks_of_photographs_that_lie_upside_down(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["fotos", "--labels", "labels.csv", "--masks", "masks", "--classes", "cat,dog"]
    status, said = init(capsys, *given)
    assert (
        status == 0 and "6 masks fit their photograph (EXIF orientation) both as shown and as stored" in said
    )
    status, said = init(capsys, *given, "--shrink", "64", "--name", "small")
    assert status == 0 and "masks fit their photograph" in said
    assert "fit" not in init(capsys, *given, "--name", "seen", "--masks-orientation", "seen")[1]
    status, printed = snakemake(case, "results/seen/index/train.csv", "results/small/index/train.csv")
    assert status == 0, printed
    for run in ("seen", "small"):
        for record in Index.read(f"results/{run}/index/train.csv"):
            assert record.mask is not None
            drawn = read_mask(Path("masks", f"{record.id}.png"))
            assert np.array_equal(read_mask(record.mask), drawn), "drawn on the photograph as shown"


@pytest.mark.parametrize("case", ["header-only"], indirect=True)
def test_images_that_open_but_do_not_decode(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = init(capsys, "fotos", "--labels", "labels.csv")
    assert status == 1 and not Path("config").exists()
    assert "fotos/IMG_0009.tif: image has mode F; allowed are 8-bit images and 16-bit gray" in said
    assert "fotos/IMG_0010.jpg: image does not decode (image file is truncated" in said
    data = {"kind": "folder", "images": "fotos", "labels": "labels.csv"}
    Path("config").mkdir()
    Path("config/fotos.yaml").write_text(json.dumps({"dataset": data}))
    status, printed = snakemake(case, "results/fotos/index/val.csv")
    assert status == 1 and "IMG_0010.jpg: image does not decode" in printed and "Traceback" not in printed


@pytest.mark.parametrize("case", ["list-labels"], indirect=True)
def test_tables_as_pandas_and_excel_write_them(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, classes in (("list", ("cat", "dog", "fox")), ("empty", ("cat", "dog"))):
        assert init(capsys, "fotos", "--labels", f"{name}.csv", "--name", name)[0] == 0
        assert load_run(name).config.dataset.classes == classes  # type: ignore[union-attr]


@pytest.mark.parametrize("case", ["masks-0-255"], indirect=True)
def test_binary_masks(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["fotos", "--labels", "labels.csv", "--masks", "m255", "--classes", "cell"]
    status, said = init(capsys, *given)
    assert (
        status == 1 and "'cell' (mask value 1) occurs in no mask" in said and "the masks hold 0, 255" in said
    )
    advice = said.partition("wsss init: ")[2].partition(")")[0].split()
    assert init(capsys, *given, *advice)[0] == 0, "the advice, followed"
    status, printed = snakemake(case, "results/fotos/index/train.csv")
    assert status == 0, printed
    for record in Index.read("results/fotos/index/train.csv"):
        assert record.mask is not None
        drawn = read_mask(Path("m255", f"{record.id}.png"))
        assert np.array_equal(read_mask(record.mask), drawn // 255)


@pytest.mark.parametrize("case", ["nfd-names"], indirect=True)
def test_names_as_macos_writes_them(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(capsys, "fotos", "--labels", "labels.csv")[0] == 0
    assert init(capsys, "f2", "--labels", "l2.csv")[0] == 0
    assert load_run("f2").config.dataset.classes == ("cat", "K\u00e4fer")  # type: ignore[union-attr]


@pytest.mark.parametrize("case", ["split-leak"], indirect=True)
def test_images_in_train_and_val(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = init(capsys, "fotos", "--labels", "leak.csv")
    assert status == 1 and "4 of 10 images of train are also in val" in said and "IMG_0003 (" in said
    status, said = init(capsys, "fotos", "--labels", "leak.csv", "--allow-overlap")
    assert status == 0 and load_run("fotos").config.dataset.allow_overlap  # type: ignore[union-attr]
    status, printed = snakemake(case, "results/fotos/index/train.csv")
    assert status == 0 and "which dataset.allow_overlap accepts" in printed


@pytest.mark.parametrize("case", ["symlinked-folder"], indirect=True)
def test_linked_folders(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = init(capsys, "fotos", "--labels", "labels.csv")
    assert status == 0 and "10 photographs to train on, 2 to look at" in said


@pytest.mark.parametrize("case", ["voc-size-0"], indirect=True)
def test_annotations_of_a_wrong_size(case: Path) -> None:
    wrong = {"allsize0": 8, "size0": 2, "swapped": 8}
    status, printed = snakemake(case, *(f"results/{name}/index/train.csv" for name in wrong))
    assert status == 0, printed
    for name, count in wrong.items():
        about = json.loads((case / f"results/{name}/index/train.json").read_text())
        assert about["without_labels"] == 0 and about["images"] == 8
        log = (case / f"results/{name}/logs/index_images.train.log").read_text()
        assert f"train: {count} of 8 annotations have no <size>, or not that of their image" in log


def test_every_case_has_a_test(shared: Path) -> None:
    """Other modules hold those that need a network, and those of figures."""
    elsewhere = {"long-names": "test_predict.py", "dollar-classes": "test_figures.py"}
    here = Path(__file__).read_text(encoding="utf-8")
    for directory in sorted(path for path in (shared / "cases").iterdir() if path.is_dir()):
        if directory.name not in elsewhere:
            assert f'"{directory.name}"' in here, directory.name
