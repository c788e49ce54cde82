"""Runs on top of runs: what is inherited, which stages there are, who owns what, what changes a digest."""

import json
from operator import attrgetter
from pathlib import Path

import pytest

from wsss.config import OcConfig, PriorsConfig, RunConfig, Section, ShapesDataset
from wsss.errors import UserError
from wsss.runs.choices import final_saliency, selects_epoch
from wsss.runs.run import Run, load_run, run_names, stages
from wsss.runs.stages import STAGES

BASE = "dataset: {kind: shapes}\n"


@pytest.fixture
def write(tmp_path: Path):
    """Write runs: `write(name="text", ...)` gives the directory; `_` in a name stands for a hyphen."""

    def _write(**texts: str) -> Path:
        for name, text in texts.items():
            (tmp_path / f"{name.replace('_', '-')}.yaml").write_text(text, encoding="utf-8")
        return tmp_path

    return _write


def load(directory: Path, name: str) -> Run:
    """Short for the tests."""
    return load_run(name, directory)


def digests(run: Run) -> dict[str, str]:
    """Of all stages of a run."""
    return {stage: run.digest(stage) for stage in stages(run)}


# --- extends ---


def test_sections_are_merged_and_values_replaced(write) -> None:
    directory = write(
        base=BASE + "oc: {optimisation: {lr: 0.2, ema: {every: 8}}}\ncams: {scales: [1, 2]}",
        middle="extends: base\noc: {optimisation: {epochs: 3}}",
        leaf="extends: middle\noc: {optimisation: {ema: null}}\ncams: {scales: [0.5]}",
    )
    run = load(directory, "leaf")
    assert [ancestor.name for ancestor in run.lineage] == ["base", "middle", "leaf"]
    optimisation = run.config.oc.optimisation
    assert (optimisation.lr, optimisation.epochs, optimisation.ema) == (0.2, 3, None)
    assert run.config.cams.scales == (0.5,)
    assert run.parent is not None and run.parent.config.oc.optimisation.ema is not None


def test_a_data_set_of_another_kind_replaces_the_parents(write) -> None:
    directory = write(
        base="dataset: {kind: shapes, seed: 3}",
        child="extends: base\ndataset: {kind: voc, root: d}",
        same="extends: base\ndataset: {size: 64}",
    )
    assert load(directory, "child").config.dataset.kind == "voc"
    assert load(directory, "same").config.dataset == ShapesDataset(kind="shapes", seed=3, size=64)


def test_a_missing_parent_is_told_with_the_runs_there_are_and_the_other_faults(write) -> None:
    directory = write(child="cams: {flip: 1}\nextends: bse", base=BASE)
    with pytest.raises(UserError) as caught:
        load(directory, "child")
    assert str(caught.value).split("\n") == [
        f"{directory}/child.yaml: 2 faults",
        f"  {directory}/child.yaml:1: cams.flip = 1: must be true | false",
        f'  {directory}/child.yaml:2: extends = "bse": no such run; {directory} has the runs base, child',
    ]


def test_extends_must_be_a_name(write) -> None:
    with pytest.raises(UserError, match=r"child.yaml:1: extends = 3: must be text or null$"):
        load(write(child="extends: 3"), "child")
    with pytest.raises(UserError, match=r'extends = "\.\./base": no such run'):
        load(write(child="extends: ../base"), "child")


def test_circles_are_refused(write) -> None:
    directory = write(a="extends: b", b="extends: c", c="extends: a", self="extends: self")
    with pytest.raises(UserError, match=r'c.yaml:1: extends = "a": goes in a circle, a → b → c → a$'):
        load(directory, "a")
    with pytest.raises(UserError, match="self → self"):
        load(directory, "self")


def test_a_parents_fault_is_the_parents(write) -> None:
    directory = write(base=BASE + "\ncams:\n  flip: 1", child="extends: base\noc: {lr: 1}")
    with pytest.raises(UserError) as caught:
        load(directory, "child")
    assert str(caught.value).startswith(
        f"{directory}/base.yaml: 1 fault\n  {directory}/base.yaml:4: cams.flip = 1"
    )


def test_a_fault_between_parent_and_child_stands_where_the_value_stands(write) -> None:
    text = BASE + "priors:\n  method: vanilla\n  augmentation:\n    crop: 100"
    directory = write(base=text, child="extends: base\npriors: {method: puzzle}")
    with pytest.raises(UserError) as caught:
        load(directory, "child")
    head, fault = str(caught.value).split("\n")
    assert head == f"{directory}/child.yaml: 1 fault"
    assert fault.startswith(
        f"  {directory}/base.yaml:5: priors.augmentation.crop = 100: must be a multiple of 32"
    )


def test_names_of_runs(write) -> None:
    directory = write(a=BASE, b_2=BASE)
    (directory / "No_run.yaml").write_text(BASE, encoding="utf-8")
    (directory / "schema.json").write_text("{}", encoding="utf-8")
    assert run_names(directory) == ["a", "b-2"]
    for wrong in ("No_run", "../a", "a\n", ""):
        with pytest.raises(UserError, match="a run's name must be of the form"):
            load(directory, wrong)
    with pytest.raises(UserError, match=r"c\.yaml: no such run; .* has the runs a, b-2$"):
        load(directory, "c")
    with pytest.raises(UserError, match=r"nowhere has the runs \(none\)"):
        load(directory / "nowhere", "c")


# --- stages and sections ---


@pytest.mark.parametrize("method", ["vanilla", "puzzle", "occse", "poc", "pnoc"])
def test_only_methods_that_erase_have_an_ordinary_classifier(write, method: str) -> None:
    run = load(write(run=BASE + f"priors: {{method: {method}}}"), "run")
    with_oc = method in ("occse", "poc", "pnoc")
    first = ["index", *(["oc"] if with_oc else []), "priors", "cams", "cams_metrics"]
    assert stages(run)[: len(first)] == first
    if not with_oc:
        with pytest.raises(
            UserError, match=f"run run .priors.method: {method}, .* has no stage 'oc'; it has index, priors"
        ):
            run.section("oc")
    with pytest.raises(UserError, match="no stage 'priours'"):
        run.digest("priours")


def test_the_stages_can_be_made_in_their_order(write) -> None:
    config = load(write(run=BASE), "run").config
    order = list(STAGES)
    for name, stage in STAGES.items():
        assert isinstance(attrgetter(stage.section)(config), Section)
        assert all(order.index(before) < order.index(name) for before in stage.before(config))


def test_a_section_is_sorted_and_leaves_out_what_is_at_its_default(write) -> None:
    text = (
        BASE
        + "oc: {optimisation: {lr: 0.2, epochs: 15}, network: {backbone: resnet18}, label_smoothing: 0.1}"
    )
    run = load(write(run=text), "run")
    assert run.section("oc") == '{"network": {"backbone": "resnet18"}, "optimisation": {"lr": 0.2}}'
    assert run.section("priors") == "{}"
    assert run.section("index") == '{"kind": "shapes"}'


def test_defaults_are_the_shipped_ones_not_the_parents(write) -> None:
    directory = write(
        base=BASE + "oc: {optimisation: {epochs: 3}}", child="extends: base\noc: {optimisation: {epochs: 15}}"
    )
    assert load(directory, "child").section("oc") == "{}"


def test_a_section_comes_back_whole(write) -> None:
    text = (
        BASE
        + "oc: {optimisation: {ema: {}}, augmentation: {color: []}}\npriors: {noc: {oc_gradient: published}}"
    )
    run = load(write(run=text), "run")
    for stage in stages(run):
        section = attrgetter(STAGES[stage].section)(run.config)
        assert STAGES[stage].parse(run.section(stage)) == section
    assert isinstance(STAGES["oc"].parse("{}"), OcConfig) and isinstance(
        STAGES["priors"].parse("{}"), PriorsConfig
    )


def test_what_is_no_section_is_refused() -> None:
    with pytest.raises(UserError, match=r"stage oc is not valid: \{\"lr\": 1\}"):
        STAGES["oc"].parse('{"lr": 1}')
    with pytest.raises(UserError, match="stage index is not valid"):
        STAGES["index"].parse("{}")


def test_a_run_has_the_saliency_that_it_asks_for(write) -> None:
    directory = write(
        base=BASE,
        none="extends: base\nsaliency: {method: none}",
        masks="extends: base\nsaliency: {refine: none}",
        plain="extends: base\nsaliency: {method: c2am}",
    )
    base, none, masks, plain = (load(directory, name) for name in ("base", "none", "masks", "plain"))
    parts = ["c2am", "c2am_maps", "saliency_crf", "poolnet", "saliency", "saliency_metrics"]
    assert [stage for stage in stages(base) if stage in parts] == parts
    assert not set(parts) & set(stages(none))
    assert set(parts) - set(stages(masks)) == {"poolnet", "saliency"}
    assert [final_saliency(run.config) for run in (base, none, masks)] == ["saliency", None, "saliency_crf"]
    # without hints, what the CAMs are changes nothing but the scores; the masks of the CRF are the same
    assert masks.owner("saliency_crf") is not masks and masks.owner("saliency_metrics") is masks
    assert "cams" not in STAGES["c2am"].before(plain.config)


def test_plain_c2am_reads_no_hints(write) -> None:
    directory = write(
        base=BASE + "saliency: {method: c2am}",
        child="extends: base\nsaliency: {c2am: {hints: {weight: 2}}}\npriors: {label_smoothing: 0}",
        other="extends: base\nsaliency: {c2am: {rank_alpha: 1}}",
        shards="extends: base\ncams: {shards: 2}",
    )
    base, child, other, shards = (load(directory, name) for name in ("base", "child", "other", "shards"))
    assert child.section("c2am") == "{}"
    assert digests(child)["saliency"] == digests(base)["saliency"]
    assert digests(other)["c2am"] != digests(base)["c2am"]
    # the maps are in other files then, though nothing else about them has changed
    assert digests(shards)["c2am"] == digests(base)["c2am"]
    assert digests(shards)["c2am_maps"] != digests(base)["c2am_maps"]


def test_the_upper_bound_has_the_last_two_stages_alone(write) -> None:
    directory = write(base=BASE, upper="extends: base\nsegmentation: {labels: ground_truth}")
    base, upper = load(directory, "base"), load(directory, "upper")
    assert stages(upper) == ["index", "segmentation", "masks"]
    assert [upper.owner(stage).name for stage in stages(upper)] == ["base", "upper", "upper"]
    assert upper.section("segmentation") == base.section("segmentation")
    assert upper.digest("segmentation") != base.digest("segmentation")
    with pytest.raises(UserError, match=r"run upper .* has no stage 'walks'; it has index, segmentation"):
        upper.directory("walks")


def test_affinity_labels_take_the_saliency_that_there_is(write) -> None:
    directory = write(
        base=BASE,
        none="extends: base\nsaliency: {method: none}",
        masks="extends: base\nsaliency: {refine: none}",
    )
    before = {name: load(directory, name).config for name in ("base", "none", "masks")}
    assert {name: STAGES["affinity_labels"].before(config)[2:] for name, config in before.items()} == {
        "base": ("saliency",),
        "none": (),
        "masks": ("saliency_crf",),
    }


def test_the_epoch_is_chosen_where_val_has_labels(write) -> None:
    unlabeled = "dataset: {kind: voc, root: d, val_labels: false}\n"
    asked = "segmentation: {training: {selection: %s}}"
    directory = write(
        auto=BASE,
        best=unlabeled + asked % "best",
        last=BASE + asked % "last",
        bare=unlabeled,
        upper=unlabeled + "segmentation: {labels: ground_truth}",
    )
    names = ("auto", "best", "last", "bare", "upper")
    chosen = [selects_epoch(load(directory, name).config) for name in names]
    assert chosen == [True, True, False, False, True]


# --- digests and owners ---

#: all stages of a run with nothing but defaults, in order, and those that follow the priors and the CRF
ORDER = stages(Run("run", RunConfig(dataset=ShapesDataset(kind="shapes"))))
ALL = set(ORDER)
AFTER_PRIORS = ALL - {"index", "oc", "priors"}
AFTER_CRF = AFTER_PRIORS - {"cams", "cams_metrics", "c2am", "c2am_maps", "saliency_crf"}
AFTER_SALIENCY = AFTER_CRF - {"poolnet", "saliency", "saliency_metrics"}
AFTER_WALKS = AFTER_SALIENCY - {"affinity_labels", "affinity", "walks", "walks_metrics"}

CHANGES = {
    "nothing": ("", set()),
    "the machine": ("machine: {gpus: 4, workers: 0, device: cpu, wandb: offline, inference_batch: 1}", set()),
    "a default, written down": ("oc: {optimisation: {lr: 1.0e-1}}\ncams: {scales: [0.5, 1, 1.5, 2]}", set()),
    "the data": ("dataset: {seed: 1}", ALL),
    "the OC": ("oc: {optimisation: {seed: 1}}", ALL - {"index"}),
    "the priors": ("priors: {erasing: {choice: focal}}", {"priors", *AFTER_PRIORS}),
    "a switch that is on with defaults": (
        "priors: {optimisation: {ema: {}}}",
        {"priors", *AFTER_PRIORS},
    ),
    "the shards": ("cams: {shards: 2}", AFTER_PRIORS),
    "the sweep": ("evaluation: {threshold_to: 0.5}", {"cams_metrics", "walks_metrics"}),
    "the hints": (
        "saliency: {c2am: {hints: {fg_threshold: 0.3}}}",
        {"c2am", "c2am_maps", "saliency_crf", *AFTER_CRF},
    ),
    "the CRF": ("saliency: {crf: {iterations: 1}}", {"saliency_crf", *AFTER_CRF}),
    "PoolNet": ("saliency: {poolnet: {optimisation: {lr: 0.001}}}", AFTER_CRF),
    "the affinity labels": ("affinity: {labels: {fg_threshold: 0.3}}", AFTER_SALIENCY),
    "AffinityNet": ("affinity: {training: {radius: 5}}", AFTER_SALIENCY - {"affinity_labels"}),
    "the walk": ("affinity: {walk: {beta: 8}}", {"walks", "walks_metrics", *AFTER_WALKS}),
    "the pseudo labels": ("segmentation: {pseudo: {threshold: 0.25}}", AFTER_WALKS),
    "the segmentation": ("segmentation: {training: {selection: last}}", {"segmentation", "masks"}),
    "the masks": ("segmentation: {masks: {crf: {iterations: 0}}}", {"masks"}),
    "what the CRF of the masks does not read": ("segmentation: {masks: {crf: {gt_prob: 0.5}}}", set()),
    "the sweep over saliency": ("saliency: {evaluation: {threshold_to: 0.9}}", {"saliency_metrics"}),
}


@pytest.mark.parametrize(("text", "changed"), CHANGES.values(), ids=CHANGES)
def test_what_a_change_makes_again_and_who_owns_it(write, text: str, changed: set[str]) -> None:
    child = load(write(base=BASE, child="extends: base\n" + text), "child")
    assert child.parent is not None
    before, after = digests(child.parent), digests(child)
    assert {stage for stage in ALL if before[stage] != after[stage]} == changed
    for stage in ALL:
        owner = "child" if stage in changed else "base"
        assert child.owner(stage).name == owner
        assert child.directory(stage) == Path("results") / owner


def test_blocks_that_a_method_does_not_read_change_nothing(write) -> None:
    directory = write(
        base=BASE + "priors: {method: puzzle}",
        child="extends: base\npriors: {erasing: {weight: 2}, noc: {every: 2}}\noc: {label_smoothing: 0}",
        other="extends: base\npriors: {puzzle: {weight: 2}}",
    )
    base, child, other = (load(directory, name) for name in ("base", "child", "other"))
    assert child.section("priors") == '{"method": "puzzle"}'
    assert digests(child) == digests(base)
    assert digests(other)["priors"] != digests(base)["priors"]


def test_a_change_that_is_taken_back_is_the_first_runs_again(write) -> None:
    directory = write(
        base=BASE,
        middle="extends: base\noc: {label_smoothing: 0}\ncams: {flip: false}",
        leaf="extends: middle\noc: {label_smoothing: 0.1}",
    )
    leaf = load(directory, "leaf")
    owners = [leaf.owner(stage).name for stage in stages(leaf)]
    assert owners == [*["base"] * 3, *["leaf"] * (len(owners) - 3)]


def test_a_run_that_lacks_a_stage_owns_none(write) -> None:
    """A vanilla parent trains no OC, so the child's lies with the child, though the keys are the parent's."""
    child = load(
        write(base=BASE + "priors: {method: vanilla}", child="extends: base\npriors: {method: poc}"), "child"
    )
    owners = [child.owner(stage).name for stage in stages(child)]
    assert owners == ["base", *["child"] * (len(owners) - 1)]


def test_unrelated_runs_share_nothing(write) -> None:
    directory = write(a=BASE, b=BASE)
    a, b = load(directory, "a"), load(directory, "b")
    assert digests(a) == digests(b)
    assert all(b.owner(stage) is b for stage in stages(b))


def test_digests_are_stable_and_distinct(write) -> None:
    """Digests stand in files on disk: they must not change with a new release."""
    run = load(write(run="dataset: {kind: voc, root: data/VOC2012}"), "run")
    known = digests(run)
    published = {
        "index": "7f2bb00c9c96",
        "oc": "aad64f3c481d",
        "priors": "0565e5d321be",
        "cams": "8966434fc27c",
        "cams_metrics": "e30a5c9bd168",
        "c2am": "427e73fa935c",
        "c2am_maps": "1180a20e951f",
        "saliency_crf": "74de7cabd6c0",
        "poolnet": "168718a6a4f0",
        "saliency": "c2f09d739c7b",
        "saliency_metrics": "f3e909637890",
        "affinity_labels": "ec2d4767888c",
        "affinity": "dd156c3cc4aa",
        "walks": "489bd2ab5763",
        "walks_metrics": "3b85cad52e43",
        "pseudo_labels": "99e92d69e501",
        "segmentation": "08eca13801ef",
        "masks": "639f111af7e4",
    }
    assert {stage: known[stage] for stage in published} == published
    assert len(set(known.values())) == len(known)


def test_shipped_ablation_shares_the_data_only(repository: Path) -> None:
    run = load_run("shapes-vanilla", repository / "config")
    owners = {stage: run.owner(stage).name for stage in stages(run)}
    assert owners.pop("index") == "shapes"
    assert "oc" not in owners and set(owners.values()) == {"shapes-vanilla"}
    assert run.parent is not None
    inherited = json.loads(run.parent.section("priors"))
    # what vanilla does not read is no part of its section
    read = {key: value for key, value in inherited.items() if key not in ("puzzle", "erasing", "noc")}
    assert json.loads(run.section("priors")) == {**read, "method": "vanilla"}
