"""Keys that a run sets once for all trainings, and keys that only some methods read."""

from operator import attrgetter
from pathlib import Path
from typing import Annotated, Literal

import pytest

from wsss.config import OptimizationConfig, PriorsConfig, RunConfig, Section
from wsss.config.section import ReadWhen
from wsss.config.shared import trainings
from wsss.errors import UserError
from wsss.runs.run import Run, load_run, stages

DATA = "dataset: {kind: voc, root: d}\n"
TRAININGS = [".".join(path) for path, _ in trainings(RunConfig)]
SHARING = [name for name in TRAININGS if name != "saliency.poolnet"]


def loaded(tmp_path: Path, text: str, **others: str) -> Run:
    """A run with this file beside other runs."""
    for name, other in {"run": text, **others}.items():
        (tmp_path / f"{name}.yaml").write_text(other, encoding="utf-8")
    return load_run("run", tmp_path)


def test_all_trainings_are_known() -> None:
    assert [
        *("oc", "priors", "saliency.c2am", "saliency.poolnet", "affinity.training", "segmentation.training")
    ] == TRAININGS


def test_another_backbone_is_one_edit(tmp_path: Path) -> None:
    run = loaded(tmp_path, DATA + "network: {backbone: resnet50, weights: none, norm: fix, freeze: stem}")
    for name in SHARING:
        network = attrgetter(name)(run.config).network
        assert (network.backbone, network.weights) == ("resnet50", "none"), name
        if name != "affinity.training":  # whose backbone is always frozen
            assert (network.norm, network.freeze) == ("fix", "stem"), name
    assert run.config.saliency.poolnet.network.weights == "imagenet"


def test_digests_are_those_of_a_file_that_sets_every_training(tmp_path: Path) -> None:
    both = "network: {backbone: resnet50}, optimisation: {seed: 7}"
    merged = "oc: {%s}\npriors: {%s}\nsaliency: {c2am: {%s}, poolnet: {optimisation: {seed: 7}}}\n"
    merged += "affinity: {training: {%s}}\nsegmentation: {training: {%s}}\n"
    each = DATA + merged.replace("%s", both)
    short, written = (
        loaded(tmp_path, text) for text in (DATA + "network: {backbone: resnet50}\nseed: 7", each)
    )
    assert {stage: short.digest(stage) for stage in stages(short)} == {
        stage: written.digest(stage) for stage in stages(written)
    }


def test_every_training_has_the_seed_of_the_run_unless_it_sets_its_own(tmp_path: Path) -> None:
    run = loaded(tmp_path, DATA + "seed: 3\noc: {optimisation: {seed: 0}}")
    seeds = {name: attrgetter(name)(run.config).optimisation.seed for name in TRAININGS}
    assert seeds == {name: 0 if name == "oc" else 3 for name in TRAININGS}
    assert run.config.dataset == loaded(tmp_path, DATA).config.dataset


def test_a_training_keeps_its_own_key_where_the_extended_run_sets_it(tmp_path: Path) -> None:
    base = DATA + "network: {backbone: resnet50}\npriors: {network: {backbone: resnet34}}"
    run = loaded(tmp_path, "extends: base\nnetwork: {backbone: resnet18}", base=base)
    assert (run.config.oc.network.backbone, run.config.priors.network.backbone) == ("resnet18", "resnet34")
    assert loaded(tmp_path, "extends: base\nnetwork: {backbone: null}").config.oc.network.backbone == (
        "resnest269e"
    )


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("seed: -1", ["1: seed = -1: must be integer ≥ 0 and < 4294967296"]),
        ("network: {norm: fox}", ['1: network.norm = "fox": must be normal | fix or null']),
        ("network: 3", ["1: network = 3: must be a section with backbone, weights, output_stride, norm,"]),
        ("network:\n  nrom: fix", ["2: network.nrom: unknown key; did you mean norm?"]),
        (
            "priors: {augmentation: {crop: 96}}\nnetwork:\n  output_stride: 32",
            ["1: priors.augmentation.crop = 96: must be a multiple of 64"],
        ),
    ],
)
def test_a_fault_of_a_shared_key_is_reported_once(tmp_path: Path, text: str, faults: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        loaded(tmp_path, text + "\n" + DATA)
    lines = str(caught.value).split("\n")[1:]
    assert len(lines) == len(faults)
    for line, fault in zip(lines, faults, strict=True):
        assert line.strip().startswith(f"{tmp_path}/run.yaml:{fault}")


def test_a_block_of_a_new_method_changes_no_digest_of_the_others() -> None:
    """As a new method declares it: a name, and a block that says which methods read it."""

    class NewBlock(Section):
        weight: float = 1.0

    class NewPriors(PriorsConfig):
        method: Literal["vanilla", "puzzle", "occse", "poc", "pnoc", "new"] = "pnoc"  # type: ignore[assignment]
        new: Annotated[NewBlock, ReadWhen("method", ("new",))] = NewBlock()

    for method in ("vanilla", "puzzle", "occse", "poc", "pnoc"):
        section = NewPriors.model_validate({"method": method, "new": {"weight": 2}})
        assert section.differences() == PriorsConfig.model_validate({"method": method}).differences()
    used = NewPriors.model_validate({"method": "new", "new": {"weight": 2}, "puzzle": {"weight": 1}})
    assert used.differences() == {"method": "new", "new": {"weight": 2}}
    assert used.regularizers == ("new",)


# --- values that cannot work ---

NORM_NEEDS = "must be at least 2, as batch norm over pooled features needs several images; or set "
ONE_IMAGE = {
    "split attention": (
        "oc: {optimisation: {batch: 1}}",
        "oc.optimisation.batch = 1: " + NORM_NEEDS + "oc.network.norm to fix",
    ),
    "selective kernels, by the run's network": (
        "network: {backbone: skresnet18}\noc: {optimisation: {batch: 1}}",
        "oc.optimisation.batch = 1: " + NORM_NEEDS + "oc.network.norm to fix",
    ),
    "C2AM": (
        "saliency: {c2am: {optimisation: {batch: 1}}}",
        "saliency.c2am.optimisation.batch = 1: " + NORM_NEEDS + "saliency.c2am.network.norm to fix",
    ),
    "pooled branch": (
        "network: {norm: fix}\n"
        "segmentation: {training: {network: {head_norm: batch}, optimisation: {batch: 1}}}",
        "segmentation.training.optimisation.batch = 1: "
        + NORM_NEEDS
        + "segmentation.training.network.head_norm to group",
    ),
    "trained OC": (
        "network: {norm: fix}\npriors: {noc: {oc_norm: normal}, optimisation: {batch: 1}}",
        "priors.optimisation.batch = 1: " + NORM_NEEDS + "priors.noc.oc_norm to fix",
    ),
}


@pytest.mark.parametrize(("text", "fault"), ONE_IMAGE.values(), ids=ONE_IMAGE)
def test_a_batch_of_one_image_is_refused_where_batch_norm_needs_several(
    tmp_path: Path, text: str, fault: str
) -> None:
    with pytest.raises(UserError) as caught:
        loaded(tmp_path, DATA + text)
    (line,) = str(caught.value).split("\n")[1:]
    assert line.endswith(fault)


@pytest.mark.parametrize(
    "text",
    [
        "network: {norm: fix}\noc: {optimisation: {batch: 1}}",
        "network: {freeze: all}\noc: {optimisation: {batch: 1}}",
        "network: {backbone: resnet50}\noc: {optimisation: {batch: 1}}",
        "affinity: {training: {optimisation: {batch: 1}}}",
        "priors: {method: poc, noc: {oc_norm: normal}, network: {norm: fix}, optimisation: {batch: 1}}",
    ],
)
def test_a_batch_of_one_image_is_allowed_elsewhere(tmp_path: Path, text: str) -> None:
    loaded(tmp_path, DATA + text)


@pytest.mark.parametrize(
    "section", ["affinity: {labels: %s}", "saliency: {crf: %s}", "segmentation: {pseudo: %s}"]
)
def test_the_crf_must_prefer_the_initial_label(tmp_path: Path, section: str) -> None:
    """Two labels, of which the initial one has 0.5 or less: the CRF would turn the mask inside out."""
    for value in (0.5, 0.3):
        with pytest.raises(UserError, match=rf"gt_prob = {value}: must be number > 0.5 and < 1$"):
            loaded(tmp_path, DATA + section % f"{{gt_prob: {value}}}")
    loaded(tmp_path, DATA + section % "{gt_prob: 0.51}")


def test_bounds_and_descriptions_are_declared_once() -> None:
    """A section that changes a default has the annotation of the section that it derives from."""

    def derived(section: type[Section]) -> set[type[Section]]:
        return {section}.union(*(derived(child) for child in section.__subclasses__()))

    for section in derived(OptimizationConfig):
        for name, field in section.model_fields.items():
            base = OptimizationConfig.model_fields[name]
            assert (field.description, field.metadata) == (base.description, base.metadata), (section, name)
