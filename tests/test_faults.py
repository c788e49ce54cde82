"""What goes wrong in the world: a message that names it, a status that says so, nothing lost or half-written.

The scripts of the rules are called as Snakemake calls them, in this process. Where the user can mend the
fault, the test does, and what is made then has to equal what is made without it. Faults that concern one
module only are tested with that module.
"""

import copy
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from support.commands_in_one_process import status_of
from support.fault_table import Contents, Fault, contents
from support.odd_data import LARGE, ODD, make_odd_data, malicious, said_by, save_mask
from support.workflow import WHOLE, command, make, snakemake, write_run

from wsss.data.index import Index
from wsss.errors import UserError
from wsss.inference import device_network
from wsss.inference.device_network import DeviceNetwork
from wsss.models import Classifier
from wsss.runs.run import Run, load_run
from wsss.store.cams import CamMaps, CamShard
from wsss.store.files import atomic, write_csv, write_json, write_png, write_text
from wsss.store.label_maps import write_label_shard
from wsss.store.maps import write_shard
from wsss.store.networks import Header, read_header, save_model
from wsss.store.retained import discard
from wsss.training.checkpoint import Checkpoints

BACKBONE = "mobilenetv3_small_050"
VOC = {"kind": "voc", "root": "data", "train": "train", "allow_overlap": True}
#: the run's ordinary classifier is trained in three steps
BRIEF = {**WHOLE["oc"], "optimisation": {"epochs": 3, "batch": 2}}
MISTAKEN: dict[str, Any] = {**WHOLE, "oc": BRIEF, "dataset": VOC}
INDEX = ("train.csv", "train.json")
Call = Callable[..., tuple[int, str]]


@pytest.fixture
def run(here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run `whole` on a few images, in whose directory the process is."""
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "orig_argv", sys.orig_argv)
    write_run(tmp_path, "whole", MISTAKEN)
    make_odd_data(tmp_path / "data", ["both", "plain", "gray", "nothing"])
    return load_run("whole")


@pytest.fixture
def call(run: Run, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a rule's script; its status and what it says."""

    def called(script: str, stage: str, *arguments: str | Path) -> tuple[int, str]:
        module = f"workflow.scripts.{script}"
        words = ["python", "-m", module, "--run", run.name, "--config", run.section(stage)]
        status = status_of(shlex.join([*words, "--threads", "1", *map(str, arguments)]))
        return status, capsys.readouterr().err

    return called


def index(call: Call) -> tuple[int, str]:
    """Make the training split's index."""
    return call("index_images", "index", "--split", "train", "--out", "train.csv")


def left(directory: Path) -> list[str]:
    """Names of what lies there, hidden files too."""
    return sorted(path.name for path in directory.iterdir())


def made_once(root: Path, *names: str) -> Contents:
    """What lies there by these names; it is removed, so that it can be made again."""
    found = contents(root, *names)
    for name in names:
        (root / name).unlink()
    return found


def train_oc(call: Call) -> tuple[int, str]:
    """Train the ordinary classifier."""
    return call("train_oc", "oc", "--index", "train.csv", "--out", "oc.safetensors", "--metrics", "oc.csv")


def make_cams(call: Call, out: str | Path = "cams/000.safetensors") -> tuple[int, str]:
    """Make the first shard of the CAMs."""
    made_from = ("--index", "train.csv", "--model", "model.safetensors", "--shard", "0")
    return call("make_cams", "cams", *made_from, "--out", out)


def header(run: Run) -> Header:
    """Of the run's generator."""
    return Header("Classifier", BACKBONE, 16, ("a", "b", "never"), run.digest("priors"))


# --- data ---


def _cut(path: Path, to: int) -> None:
    path.write_bytes(path.read_bytes()[:to])


LISTS = Path("ImageSets", "Segmentation")
#: what is wrong with a data set -> how it gets there, and what is said of it
SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "a mask of another size than its image": (
        lambda root: save_mask(root, "plain", np.zeros((39, 56), np.uint8)),
        "plain: data/SegmentationClass/plain.png: mask is 56x39 but data/JPEGImages/plain.jpg is 56x40",
    ),
    "a mask with an unknown value": (
        lambda root: save_mask(root, "plain", np.full((40, 56), 7, np.uint8)),
        "plain: data/SegmentationClass/plain.png: mask holds [7]; allowed are 0..3 and 255",
    ),
    "a pickle in place of a mask": (
        lambda root: (root / "SegmentationClass" / "plain.png").write_bytes(malicious(root / "ran")),
        "plain: data/SegmentationClass/plain.png: mask does not open",
    ),
    "a pickle in place of image-level labels": (
        lambda root: (root / "Annotations" / "plain.xml").write_bytes(malicious(root / "ran")),
        "data/Annotations/plain.xml: ",
    ),
    "a pickle in place of a split's list": (
        lambda root: (root / LISTS / "train.txt").write_bytes(malicious(root / "ran")),
        "data/ImageSets/Segmentation/train.txt: ",
    ),
    "an image that is none": (
        lambda root: (root / "JPEGImages" / "plain.jpg").write_bytes(b"some"),
        "plain: data/JPEGImages/plain.jpg: image does not open",
    ),
    "an image cut within its header": (
        lambda root: _cut(root / "JPEGImages" / "plain.jpg", 100),
        "plain: data/JPEGImages/plain.jpg: image does not open",
    ),
    "an id twice in a split": (
        lambda root: write_text(root / LISTS / "train.txt", "both\nplain\ngray\nplain\n"),
        "plain: occurs twice; every id may occur once",
    ),
    "a class that is not among those of the data set": (
        lambda root: write_text(root / "classes.txt", "b\nc\n"),
        "plain: unknown class 'a'; known are b, c",
    ),
    "a split without images": (
        lambda root: write_text(root / LISTS / "train.txt", "\n"),
        "the split has no images",
    ),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_an_index_of_spoilt_data_is_not_made(call: Call, tmp_path: Path, fault: Fault, spoilt: str) -> None:
    assert index(call)[0] == 0
    undisturbed = made_once(tmp_path, *INDEX)
    sound = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    spoil, says = SPOILT[spoilt]
    spoil(tmp_path / "data")
    before = contents(tmp_path)
    status, said = index(call)
    after = contents(tmp_path)
    assert status == 1 and says in said and "Traceback" not in said, said
    assert left(tmp_path) == ["config", "data"] and not (tmp_path / "data" / "ran").exists()
    for path, content in sound.items():
        path.write_bytes(content)
    assert index(call)[0] == 0
    fault(spoilt, status, said, before, after, contents(tmp_path, *INDEX), undisturbed)


def test_a_cut_image_stops_a_training_by_name(call: Call, tmp_path: Path, fault: Fault) -> None:
    """It was whole when the index decoded it. Repaired, it is trained on."""
    assert index(call)[0] == 0 and train_oc(call)[0] == 0
    undisturbed = made_once(tmp_path, "oc.safetensors")
    assert snakemake(tmp_path, "--cores", "1", "results/whole/index/train.csv")[0] == 0
    image = tmp_path / "data" / "JPEGImages" / "plain.jpg"
    whole = image.read_bytes()
    _cut(image, len(whole) - 200)
    target = "results/whole/models/oc.safetensors"
    before = contents(tmp_path)
    status, printed = snakemake(tmp_path, "--cores", "1", target)
    after, said = contents(tmp_path), said_by(printed)
    assert status == 1 and "error: data/JPEGImages/plain.jpg: image does not decode" in said, printed
    assert "Traceback" not in printed and not (tmp_path / target).exists()
    image.write_bytes(whole)
    assert snakemake(tmp_path, "--cores", "1", target)[0] == 0
    made = {"oc.safetensors": contents(tmp_path, target)[target]}
    fault("a JPEG cut behind its header", status, said, before, after, made, undisturbed)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole chain on images that are odd in all ways that are allowed, and a split of one image."""
    directory = tmp_path_factory.mktemp("odd")
    make_odd_data(directory / "data")
    # Boxes without a pixel of their image leave seven images with a label.
    config = {**copy.deepcopy(WHOLE), "dataset": VOC}
    for section in (
        *(config["oc"], config["priors"], config["saliency"]["c2am"]),
        *(config[name]["training"] for name in ("affinity", "segmentation")),
    ):
        section["optimisation"]["batch"] = 4
    write_run(directory, "whole", config)
    make(directory, "results/whole/val_miou.txt", "results/whole/metrics/masks.train.json")
    return directory


@pytest.mark.parametrize("name", ODD)
def test_odd_images_go_through_the_whole_chain(odd: Path, fault: Fault, name: str) -> None:
    """1 x 1 pixel, gray, CMYK, 16 bits, an EXIF rotation, no labels."""
    size, labels, mode = ODD[name]
    results = odd / "results" / "whole"
    maps = contents(
        results, *(str(path.relative_to(results)) for path in results.glob(f"*/train/*/{name}.png"))
    )
    assert {path.partition("/")[0] for path in maps} == {
        *("saliency_crf", "affinity_labels", "pseudo_labels", "masks")
    }
    # The file of a photograph that is turned by its EXIF lies on its side; maps are as it is shown.
    shown_size = size if mode == "EXIF" else size[::-1]
    for path in maps:
        with Image.open(results / path) as made:
            assert made.size == shown_size
    shown = f"an image of {size[1]} x {size[0]} pixels, {mode}, labels: {', '.join(labels) or 'none'}"
    fault(shown, 0, "", {}, maps)


def test_a_class_that_never_occurs_has_no_score(odd: Path, fault: Fault) -> None:
    results = odd / "results" / "whole"
    about = json.loads((results / "index" / "train.json").read_text())
    assert about["images"] == len(ODD) and about["images_per_class"]["never"] == 0
    scores = json.loads((results / "metrics" / "masks.train.json").read_text())
    assert scores["iou"]["never"] in (None, 0.0)
    said = f"IoU of `never`: {scores['iou']['never']}; mIoU {scores['miou']:.2f}"
    fault("a class that never occurs", 0, said, {}, contents(results, "metrics/masks.train.json"))


def test_a_split_of_one_image_is_scored(odd: Path, fault: Fault) -> None:
    results = odd / "results" / "whole"
    assert json.loads((results / "index" / "val.json").read_text())["images"] == 1
    miou = (results / "val_miou.txt").read_text().splitlines()[0]
    assert float(miou) >= 0
    fault("a split of one image", 0, f"{miou} % in `val_miou.txt`", {}, contents(results, "val_miou.txt"))


@pytest.mark.slow
def test_a_very_large_image_has_cams(call: Call, run: Run, tmp_path: Path, fault: Fault) -> None:
    make_odd_data(tmp_path / "data", LARGE)
    assert index(call)[0] == 0
    save_model(Path("model.safetensors"), Classifier(BACKBONE, 3), header(run))
    before = contents(tmp_path)
    status, said = make_cams(call)
    assert status == 0, said
    (maps,) = CamShard("cams/000.safetensors")
    assert maps.size == (4000, 6000) and maps.scales[1.0].shape == (1, 250, 375)
    fault("CAMs of an image of 6000 x 4000 pixels", status, said, before, contents(tmp_path))


# --- models and labels of others ---


def _foreign(path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, path)


def _later(path: Path) -> None:
    header = {"architecture": "Next", "new": 1}
    save_file({"w": torch.zeros(1)}, path, metadata={"wsss": json.dumps(header)})


def _other(path: Path) -> None:
    save_model(path, Classifier(BACKBONE, 3), Header("PoolNet", BACKBONE, 16, ("a", "b", "never"), "d"))


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


#: what stands in place of a model -> how it gets there, and what is said of it
MODELS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a model that is cut": (
        lambda path: _cut(path, path.stat().st_size - 1000),
        "not a whole safetensors file",
    ),
    "an empty file in place of a model": (lambda path: path.write_bytes(b""), "not a whole safetensors file"),
    "a directory in place of a model, which cannot be read": (_directory, "cannot be read"),
    "a pickle in place of a model": (
        lambda path: path.write_bytes(malicious(path.with_name("ran"))),
        "not a whole safetensors file",
    ),
    "a model of other software": (_foreign, "no model of this package"),
    "a model of a later version": (_later, "no model of this package"),
    "a model of another network": (_other, "holds a PoolNet; needed is a Classifier"),
    "a model of another configuration": (
        lambda path: save_model(path, Classifier(BACKBONE, 3), replace(read_header(path), digest="d")),
        "made from another configuration",
    ),
}


@pytest.fixture
def cams(call: Call, run: Run, tmp_path: Path) -> Contents:
    """What a shard of CAMs is that nobody disturbs; all that it is made from is there, and it is not."""
    assert index(call)[0] == 0
    torch.manual_seed(0)
    save_model(Path("model.safetensors"), Classifier(BACKBONE, 3), header(run))
    assert make_cams(call)[0] == 0
    return made_once(tmp_path, "cams/000.safetensors")


@pytest.mark.parametrize("spoilt", MODELS)
def test_what_is_no_model_of_the_run_is_refused_and_not_run(
    call: Call, cams: Contents, tmp_path: Path, fault: Fault, spoilt: str
) -> None:
    model, (spoil, says) = tmp_path / "model.safetensors", MODELS[spoilt]
    sound = model.read_bytes()
    spoil(model)
    before = contents(tmp_path)
    status, said = make_cams(call)
    after = contents(tmp_path)
    assert status == 1 and f"error: model.safetensors: {says}" in said, said
    assert not (tmp_path / "ran").exists() and left(tmp_path / "cams") == []
    if model.is_dir():
        model.rmdir()
    model.write_bytes(sound)
    assert make_cams(call)[0] == 0
    fault(spoilt, status, said, before, after, contents(tmp_path, *cams), cams)


LABELS = {
    "000/plain.png": "cannot be read",
    "000/shard.json": "not a JSON file",
    "train.csv": "not a CSV file",
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_that_are_a_pickle_are_refused_and_not_run(
    call: Call, run: Run, tmp_path: Path, fault: Fault, name: str
) -> None:
    assert index(call)[0] == 0
    images = Index.read("train.csv")
    maps = [(record.id, np.zeros(ODD[record.id][0], np.uint8)) for record in images]
    write_label_shard(tmp_path / "000", maps, digest=run.digest("pseudo_labels"))
    made_from = (
        "--labels",
        "pseudo_labels",
        "--index",
        "train.csv",
        "--maps",
        "000",
        "--images",
        "images.csv",
    )

    def score() -> tuple[int, str]:
        return call("evaluate_labels", "pseudo_labels", *made_from, "--out", "scores.json")

    assert score()[0] == 0
    undisturbed = made_once(tmp_path, "scores.json")
    spoilt = tmp_path / name
    sound = spoilt.read_bytes()
    spoilt.write_bytes(malicious(tmp_path / "ran"))
    before = contents(tmp_path)
    status, said = score()
    after = contents(tmp_path)
    assert status == 1 and f"{name}: {LABELS[name]}" in said, said
    assert not (tmp_path / "ran").exists()
    spoilt.write_bytes(sound)
    assert score()[0] == 0
    made = contents(tmp_path, "scores.json")
    fault(f"a pickle in place of labels, `{name}`", status, said, before, after, made, undisturbed)


# --- the configuration ---


def test_a_configuration_of_another_version_stops_before_anything(
    call: Call, tmp_path: Path, fault: Fault
) -> None:
    assert index(call)[0] == 0
    undisturbed = made_once(tmp_path, *INDEX)
    write_run(tmp_path, "whole", {**MISTAKEN, "priors": {**WHOLE["priors"], "sharpness": 2}})
    before = contents(tmp_path)
    status, printed = snakemake(tmp_path, "--cores", "1", "results/whole/index/train.csv")
    after = contents(tmp_path)
    assert status == 1 and "priors.sharpness: unknown key" in said_by(printed), printed
    assert not (tmp_path / "results").exists()
    write_run(tmp_path, "whole", MISTAKEN)
    assert index(call)[0] == 0
    made = contents(tmp_path, *INDEX)
    fault(
        "a configuration with a key of a later version",
        status,
        said_by(printed),
        before,
        after,
        made,
        undisturbed,
    )


# --- a GPU's memory ---


def test_a_gpu_without_memory_makes_the_same_in_smaller_batches(
    call: Call, cams: Contents, tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory is made up; tests/test_cam_inference.py looks into the stacks."""
    monkeypatch.setattr(device_network, "fused", lambda model, look: model)
    monkeypatch.setattr(DeviceNetwork, "loading", lambda self, batch, workers: (batch, 0))
    assert make_cams(call)[0] == 0
    undisturbed = made_once(tmp_path, *cams)
    enough = Classifier.forward_cam

    def too_little(self: Classifier, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return enough(self, x)

    monkeypatch.setattr(Classifier, "forward_cam", too_little)
    before = contents(tmp_path)
    status, said = make_cams(call)
    assert status == 0 and "out of GPU memory, continuing with" in said
    made = contents(tmp_path, *cams)
    fault(
        "a GPU whose memory holds half a batch", status, said, before, contents(tmp_path), made, undisturbed
    )


# --- the disk ---


def resize(disk: Path, size: str) -> None:
    """Give a small disk another size."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root can make a small file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _write_shard(path: Path) -> None:
    maps = CamMaps("large", (400, 400), np.array([0, 1]), {1.0: np.ones((1, 400, 400), np.float32)})
    write_shard(path, [maps], digest="d")


def _write_text_by_hand(path: Path) -> None:
    with atomic(path) as temporary, open(temporary, "wb") as file:
        file.write(bytes(2**20))


WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: write_text(path, "x" * 2**20),
    "json": lambda path: write_json(path, ["x" * 1000] * 1000),
    "csv": lambda path: write_csv(path, [{"a": "x" * 1000}] * 1000),
    "png": lambda path: write_png(path.with_suffix(".png"), _noise(800, 800)),
    "score maps": _write_shard,
    "label maps": lambda path: write_label_shard(path, [("large", _noise(800, 800))], digest="d"),
    "model": lambda path: save_model(path, torch.nn.Linear(400, 400), Header("Linear", "", 1, (), "d")),
    "checkpoint": lambda path: Checkpoints(path.parent, "d").save(1, {"w": torch.zeros(2**18)}),
    "bytes": _write_text_by_hand,
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_named_and_nothing_stays_half_written(small_disk: Path, writer: str) -> None:
    write_text(small_disk / "before", "all that was there")
    with pytest.raises(UserError, match=r"(no space left on the disk|cannot be written)"):
        WRITERS[writer](small_disk / "large")
    assert left(small_disk) == ["before"] and (small_disk / "before").read_text() == "all that was there"


def test_a_shard_on_a_full_disk_is_made_when_there_is_room(
    call: Call, cams: Contents, tmp_path: Path, small_disk: Path, fault: Fault
) -> None:
    with pytest.raises(OSError, match="No space left"), open(small_disk / "full", "wb", buffering=0) as full:
        while True:
            full.write(bytes(4096))
    out = small_disk / "000.safetensors"
    before = contents(tmp_path)
    status, said = make_cams(call, "small/000.safetensors")
    after = contents(tmp_path)
    assert status == 1 and "error: small/000.safetensors: no space left on the disk" in said, said
    assert left(small_disk) == ["full"]
    (small_disk / "full").unlink()
    assert make_cams(call, out)[0] == 0
    made = dict.fromkeys(cams, contents(small_disk)[out.name])
    fault("the disk is full when CAMs are written", status, said, before, after, made, cams)


def test_a_training_on_a_full_disk_goes_on_when_there_is_room(
    call: Call, tmp_path: Path, small_disk: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is room for one checkpoint and not for another."""
    sizes = []
    save = Checkpoints.save

    def measured(self: Checkpoints, step: int, state: dict[str, Any]) -> Path:
        path = save(self, step, state)
        sizes.append(path.stat().st_size)
        return path

    monkeypatch.setattr(Checkpoints, "save", measured)
    assert index(call)[0] == 0 and train_oc(call)[0] == 0
    undisturbed = made_once(tmp_path, "oc.safetensors")
    discard(tmp_path / "results" / "whole", "oc")
    resize(small_disk, f"{3 * max(sizes) // 2}")
    (tmp_path / "results" / "whole").mkdir(exist_ok=True, parents=True)
    shutil.rmtree(tmp_path / "results" / "whole" / "checkpoints")
    (tmp_path / "results" / "whole" / "checkpoints").symlink_to(small_disk)
    before = contents(tmp_path)
    status, said = train_oc(call)
    after = contents(tmp_path)
    assert status == 1 and re.search(r"step-00000002\.pt: cannot be written .*is the disk full", said), said
    assert sorted(path.name for path in small_disk.rglob("*.pt")) == ["step-00000001.pt"]
    resize(small_disk, "1g")
    status_after, said_after = train_oc(call)
    assert status_after == 0 and "resumes at step 1/3" in said_after, said_after
    made = contents(tmp_path, "oc.safetensors")
    fault("the disk is full when a training saves itself", status, said, before, after, made, undisturbed)


# --- two at once ---


def test_a_second_snakemake_on_the_same_files_is_sent_away(call: Call, tmp_path: Path, fault: Fault) -> None:
    assert index(call)[0] == 0
    made_by_hand = made_once(tmp_path, *INDEX)
    undisturbed = {f"results/whole/index/{name}": digest for name, digest in made_by_hand.items()}
    target = ("--cores", "1", "results/whole/index/train.csv")
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    first = subprocess.Popen(command(*target), cwd=tmp_path, **pipes)
    locks = tmp_path / ".snakemake" / "locks"
    while not any(lock.stat().st_size for lock in locks.glob("*output.lock")):
        assert first.poll() is None, first.communicate()
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # it holds its lock for as long as is needed
    before = contents(tmp_path)
    status, printed = snakemake(tmp_path, *target)
    after = contents(tmp_path)
    first.send_signal(signal.SIGCONT)
    assert status == 1 and "Directory cannot be locked" in printed, printed
    assert first.wait(600) == 0
    status_after, printed_after = snakemake(tmp_path, *target)
    assert status_after == 0 and "Nothing to be done" in printed_after, printed_after
    said = printed[printed.index("LockException") :]
    made = contents(tmp_path, *undisturbed)
    fault("a run started twice at once", status, said, before, after, made, undisturbed)
