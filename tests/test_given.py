"""Networks that a run is given: checked, translated, named in its file, and used in place of a training."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import yaml
from support.chain import BACKBONE, CLASSES, Toy
from support.golden import TOLERANCE, outputs
from support.odd_data import Malicious
from torch import Tensor

from workflow.scripts.make_masks import make_masks
from wsss.cli import main
from wsss.config.edit import with_key
from wsss.errors import UserError
from wsss.imports.networks import classes_of, import_weights
from wsss.runs.run import load_run, stages
from wsss.store.label_maps import LabelShard
from wsss.store.networks import Header, load_network, new_network, read_header, save_model

#: golden network -> what the command calls its stage, the stage, and how a run is told its backbone
GOLDEN = {
    "classifier": ("priors", "priors", {"priors": {"network": {"backbone": "resnest50d"}}}),
    "ccam": ("saliency", "c2am", {"saliency": {"c2am": {"network": {"backbone": "resnest50d"}}}}),
    "deeplabv3plus_gn": (
        "segmentation",
        "segmentation",
        {"segmentation": {"training": {"network": {"backbone": "resnest50d"}}}},
    ),
    "affinitynet": (
        "affinity",
        "affinity",
        {"affinity": {"training": {"network": {"backbone": "resnest50d"}}}},
    ),
    "poolnet": ("poolnet", "poolnet", {}),
}
RELEASES = {"2023-02": "", "2024-11": "module."}


@pytest.fixture(autouse=True)
def somewhere(here: None, tmp_path: Path) -> None:
    """The test is in a directory of its own, with VOC's run."""
    write(tmp_path, "voc12", {"dataset": {"kind": "voc", "root": "nowhere"}, "machine": {"device": "cpu"}})


def write(root: Path, name: str, config: dict) -> Path:
    path = root / "config" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def golden(shared: Path, network: str) -> Path:
    (path,) = (shared / "golden").glob(f"{network}_resne*50.json")
    return path


def released(shared: Path, fill: ModuleType, network: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """The same parameters under each of the namings that the network was released with, by release."""
    shapes = json.loads(golden(shared, network).read_text())["state_dict"]
    tensors = {name: fill.filled(name, shape) for name, shape in shapes.items()}
    yield "first", tensors
    for release, prefix in RELEASES.items():
        named = json.loads((shared / "golden" / f"names_{release}.json").read_text()).get(network, ())
        if not named:
            continue
        # All are in the same order. One release has the backbone's twice, first as model.*.
        again = [name for name in named if name.startswith("model.") and len(named) > len(tensors)]
        once = list(named)[len(again) :]
        assert len(once) == len(tensors)
        pairs = [*zip(again, tensors.values(), strict=False), *zip(once, tensors.values(), strict=True)]
        yield release, {prefix + name: tensor for name, tensor in pairs}


@pytest.mark.parametrize("network", GOLDEN)
def test_released_checkpoints_give_the_published_outputs(
    shared: Path, fill: ModuleType, tmp_path: Path, network: str
) -> None:
    """Under every naming they are the same network, and it computes what the published one does."""
    asked, stage, section = GOLDEN[network]
    prints = set()
    for release, tensors in released(shared, fill, network):
        torch.save(tensors, tmp_path / "released.pth")
        write(tmp_path, release, {"extends": "voc12", **section})
        assert main(["import-weights", "released.pth", "--run", release, "--stage", asked]) == 0
        run = load_run(release)
        prints.add(run.given(stage))
        assert run.output(stage) == Path("results", release, "given", f"{stage}.safetensors")
    assert len(prints) == 1 and prints != {None}
    path = run.output(stage)
    loaded, header = load_network(path, type(new_network(read_header(path))))
    assert header.digest == run.digest(stage) and len(header.classes) == 20
    meta = json.loads(golden(shared, network).read_text())
    published = np.load(golden(shared, network).with_suffix(".npz"))
    batch, _, height, width = meta["input_shape"]
    for key, ours in outputs(loaded, fill.image_batch(meta["seed"], batch, height, width)).items():
        assert np.abs(ours.numpy() - published[key]).max() <= TOLERANCE * np.abs(published[key]).max(), key


# --- what does not fit ---


@pytest.fixture
def small(tmp_path: Path) -> Header:
    """The run `small`, and its generator: of ResNet-18, whose names the releases share."""
    config = {"extends": "voc12", "priors": {"network": {"backbone": "resnet18"}}}
    write(tmp_path, "small", config)
    return Header("Classifier", "resnet18", 16, load_classes(), "")


def load_classes() -> tuple[str, ...]:
    return classes_of(load_run("voc12"))


def checkpoint(small: Header) -> dict[str, Tensor]:
    """Of that generator, under the names of the latest release."""
    torch.manual_seed(0)
    state = new_network(small).state_dict()
    return {name.replace("backbone.net.", "backbone."): tensor for name, tensor in state.items()}


def imported(tensors: object) -> str:
    """The fingerprint of a generator that was imported."""
    torch.save(tensors, "some.pth")
    import_weights(load_run("small"), "priors", Path("some.pth"))
    fingerprint = load_run("small").given("priors")
    assert fingerprint
    return fingerprint


@pytest.mark.parametrize("fault", ["missing", "unexpected", "of another shape", "not finite"])
def test_a_tensor_that_does_not_fit_is_named(small: Header, fault: str) -> None:
    tensors = checkpoint(small)
    name = "backbone.layer3.1.conv2.weight"
    if fault == "missing":
        del tensors[name]
    elif fault == "unexpected":
        name = "backbone.layer3.2.conv2.weight"
        tensors[name] = torch.zeros(1)
    elif fault == "of another shape":
        tensors[name] = torch.zeros(3, 5)
    else:
        tensors[name][0, 0] = float("nan")
    before = Path("config/small.yaml").read_text()
    with pytest.raises(UserError, match=r"some\.pth: Classifier of resnet18, 20 classes") as error:
        imported(tensors)
    assert f"{fault} (1): " in str(error.value) and name.split(".", 1)[1] in str(error.value)
    assert Path("config/small.yaml").read_text() == before and not Path("results").exists()


def test_a_file_is_never_run(small: Header, tmp_path: Path) -> None:
    """Pickles hold tensors and plain containers, or are refused."""
    with pytest.raises(UserError, match=r"some\.pth: no readable file of tensors"):
        imported(checkpoint(small) | {"run": Malicious(tmp_path / "boom")})
    assert not (tmp_path / "boom").exists()


def test_a_stage_that_the_run_has_not_is_told(small: Header, capsys: pytest.CaptureFixture[str]) -> None:
    write(Path(), "plain", {"extends": "small", "priors": {"method": "vanilla"}})
    torch.save(checkpoint(small), "some.pth")
    assert main(["import-weights", "some.pth", "--run", "plain", "--stage", "oc"]) == 1
    assert "run plain (priors.method: vanilla, " in capsys.readouterr().err


# --- what it means for a run ---


def test_what_follows_depends_on_the_network_that_is_given(small: Header) -> None:
    trained = load_run("small")
    tensors = checkpoint(small)
    first = imported(tensors)
    given = load_run("small")
    assert imported({f"module.{name}": tensor for name, tensor in tensors.items()}) == first
    tensors["classifier.weight"] += 1
    assert imported(tensors) != first
    other = load_run("small")
    for stage in ("priors", "cams", "c2am", "masks"):
        assert len({run.digest(stage) for run in (trained, given, other)}) == 3, stage
    assert trained.digest("index") == given.digest("index")
    assert "oc" in stages(trained) and "oc" not in stages(given), "it would be for the training alone"


def test_the_same_network_again_is_not_newer(small: Header) -> None:
    imported(checkpoint(small))
    file = load_run("small").output("priors")
    before = file.stat().st_mtime_ns, Path("config/small.yaml").stat().st_mtime_ns
    imported(checkpoint(small))
    assert before == (file.stat().st_mtime_ns, Path("config/small.yaml").stat().st_mtime_ns)


def test_our_own_models_can_be_given_too(small: Header) -> None:
    """A colleague's, say: what it is stands in the file, and not in this run's configuration."""
    header = replace(small, backbone="mobilenetv3_small_050", digest="elsewhere")
    save_model(Path("theirs.safetensors"), new_network(header), header)
    import_weights(load_run("small"), "priors", Path("theirs.safetensors"))
    run = load_run("small")
    assert read_header(run.output("priors")) == replace(header, digest=run.digest("priors"))
    with pytest.raises(UserError, match=r"theirs\.safetensors: holds a Classifier; c2am is a C2AM"):
        import_weights(run, "c2am", Path("theirs.safetensors"))
    save_model(Path("theirs.safetensors"), new_network(header), replace(header, classes=("cat", "dog")))
    with pytest.raises(UserError, match="knows cat, dog; run small has other classes"):
        import_weights(run, "priors", Path("theirs.safetensors"))


def test_a_child_has_what_its_parent_is_given(small: Header, tmp_path: Path) -> None:
    imported(checkpoint(small))
    write(tmp_path, "child", {"extends": "small", "cams": {"flip": False}})
    child = load_run("child")
    assert child.output("priors") == Path("results/small/given/priors.safetensors")
    write(tmp_path, "child", {"extends": "small", "given": {"priors": None}})
    assert load_run("child").output("priors") == Path("results/child/models/priors.safetensors")


def test_a_run_given_its_segmentation_network_makes_masks(toy: Toy) -> None:
    torch.manual_seed(0)
    header = Header("DeepLabV3Plus", BACKBONE, 16, CLASSES, "")
    save_model(Path("released.safetensors"), new_network(header), header)
    toy.index.write(Path("results/toy/index/train.csv"))
    write(toy.root, "toy", yaml.safe_load(Path("config/toy.yaml").read_text()))
    import_weights(toy.run, "segmentation", Path("released.safetensors"))
    run = toy.run = load_run("toy")
    assert stages(run) == ["index", "segmentation", "masks"]
    make_masks(toy.step("masks", model=run.output("segmentation"), out=Path("masks")))
    assert LabelShard("masks").ids == tuple(record.id for record in toy.index)


def test_a_network_of_other_classes_is_refused_where_it_is_used(toy: Toy) -> None:
    header = Header("DeepLabV3Plus", BACKBONE, 16, ("x", "y", "z"), toy.run.digest("segmentation"))
    save_model(Path("other.safetensors"), new_network(header), header)
    with pytest.raises(UserError, match=r"other\.safetensors: knows 3 classes \(x, y, z\), split train has"):
        make_masks(toy.step("masks", model=Path("other.safetensors"), out=Path("masks")))


# --- the run's file ---

FILE = """# A run.
extends: voc12
given:  # released ones
  # the generator
  priors: "000000000000"  # old

# and a shorter walk
affinity:
  walk: {steps: 8}
"""


def test_a_key_is_set_where_people_wrote_it() -> None:
    replaced = with_key(FILE, "given", "priors", "0123456789ab", comment="new", file="f.yaml")
    assert replaced == FILE.replace('"000000000000"  # old', '"0123456789ab"  # new')
    added = with_key(FILE, "given", "oc", "0123456789ab", comment="new", file="f.yaml")
    assert added == FILE.replace("# released ones\n", '# released ones\n  oc: "0123456789ab"  # new\n')
    without = "extends: voc12"
    assert with_key(without, "given", "oc", "12e456789012", comment="new", file="f.yaml") == (
        'extends: voc12\ngiven:\n  oc: "12e456789012"  # new\n'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("given:\n    oc: x", 'given:\n    priors: "0123456789ab"  # new\n    oc: x\n'),
        (
            "given:\n    oc: x\n    priors: 'y'  # old\noc: {}\n",
            'given:\n    oc: x\n    priors: "0123456789ab"  # new\noc: {}\n',
        ),
        ("given:", 'given:\n  priors: "0123456789ab"  # new\n'),
        ("given: # none\noc: {}", 'given: # none\n  priors: "0123456789ab"  # new\noc: {}\n'),
        ("", 'given:\n  priors: "0123456789ab"  # new\n'),
    ],
)
def test_a_key_has_the_indentation_of_its_section(text: str, expected: str) -> None:
    assert (
        with_key(text, "given", "priors", "0123456789ab", comment="new", file="f.yaml").lstrip() == expected
    )


@pytest.mark.parametrize(
    "text",
    ["given: {oc: '000000000000'}", "{extends: voc12}", "given: 3", "given:\n  priors:\n    x\n", "a: [1"],
)
def test_a_file_of_another_form_is_left_to_people(text: str) -> None:
    with pytest.raises(
        UserError, match=r'f\.yaml: cannot be edited automatically; add to it:\ngiven:\n  priors: "0123'
    ):
        with_key(text, "given", "priors", "0123456789ab", comment="new", file="f.yaml")
