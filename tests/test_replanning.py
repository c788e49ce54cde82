"""What is made again of a whole chain, and how long it takes to plan one.

The chain is made by Snakemake with this checkout's rules, but with scripts that only leave files behind: what
is planned depends on rules and records alone, and a real chain would take minutes.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.plans import coco_sized, plan, voc_sized
from support.workflow import REPOSITORY, planned, snakemake, write_run

CHAIN: dict[str, Any] = {
    "dataset": {"kind": "shapes"},
    "cams": {"shards": 2},
    "machine": {"device": "cpu", "threads": 1},
}
FIGURES = (
    *("cams", "saliency", "affinity_labels.train", "walks", "pseudo_labels.train", "masks.val"),
    *(f"{name}_training" for name in ("oc", "priors", "c2am", "poolnet", "affinity", "segmentation")),
)
TARGETS = (
    *("results/chain/val_miou.txt", "results/chain/metrics/chain.csv"),
    *(f"results/chain/figures/{name}.png" for name in FIGURES),
)

#: stands for every script: makes what it is asked for, as empty files and directories
STUB = """
import sys
from pathlib import Path

for flag, value in zip(sys.argv, sys.argv[1:]):
    path = Path(value)
    if flag in ("--out", "--curve", "--metrics", "--images") and not path.exists():
        if path.suffix:
            path.write_text("")
        else:
            path.mkdir()
        if path.suffix == ".csv" and "index" in path.parts:
            path.with_suffix(".json").write_text("{}")
print("{}")  # as check_networks, which finds no faults
"""


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose scripts only leave files behind."""
    checkout = tmp_path_factory.mktemp("checkout")
    shutil.copyfile(REPOSITORY / "Snakefile", checkout / "Snakefile")
    for name in ("rules", "profiles"):
        shutil.copytree(REPOSITORY / name, checkout / name)
    (checkout / "wsss").symlink_to(REPOSITORY / "wsss")
    scripts = checkout / "workflow" / "scripts"
    scripts.mkdir(parents=True)
    for script in (REPOSITORY / "workflow" / "scripts").glob("[!_]*.py"):
        (scripts / script.name).write_text(STUB, encoding="utf-8")
    (scripts / "check_networks.py").write_text("print('{}')\n", encoding="utf-8")
    # Another checkout on PYTHONPATH, whose scripts are a package, must not come before these.
    shutil.copyfile(REPOSITORY / "workflow" / "scripts" / "__init__.py", scripts / "__init__.py")
    return checkout


@pytest.fixture(scope="module")
def made(stubs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the whole chain, and children of it that are not made."""
    directory = tmp_path_factory.mktemp("made")
    write_run(directory, "chain", CHAIN)
    write_run(directory, "masks", {"extends": "chain", "segmentation": {"masks": {"flip": False}}})
    write_run(directory, "upper", {"extends": "chain", "segmentation": {"labels": "ground_truth"}})
    status, printed = snakemake(directory, "--cores", "2", *TARGETS, checkout=stubs)
    assert status == 0, printed
    return directory


@pytest.fixture
def edit(made: Path) -> Iterator[Callable[[str, Any], None]]:
    """Change a key of the chain in place; afterwards it is as it was."""

    def change(key: str, value: Any) -> None:
        config = json.loads(json.dumps(CHAIN))
        *sections, last = key.split(".")
        place = config
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
        write_run(made, "chain", config)

    yield change
    write_run(made, "chain", CHAIN)


def again(made: Path, stubs: Path, *targets: str) -> dict[str, int]:
    """Jobs of each rule that would run."""
    return planned(made, *(targets or TARGETS), checkout=stubs)


# --- what follows what ---

MASKS = {"make_masks": 2, "evaluate_labels": 1, "draw_labels": 1, "report_miou": 1, "report_chain": 1}
SEGMENTATION = {"train_segmentation": 1, **MASKS, "draw_training": 1}
PSEUDO_LABELS = {"make_pseudo_labels": 4, **SEGMENTATION, "evaluate_labels": 2, "draw_labels": 2}
WALKS = {"walk_cams": 4, "evaluate_walks": 1, "draw_walks": 1, **PSEUDO_LABELS}
AFFINITY = {"train_affinity": 1, **WALKS, "draw_training": 2}
LABELS = {"make_affinity_labels": 2, **AFFINITY, "evaluate_labels": 3, "draw_labels": 3}
SALIENCY = {"make_saliency": 2, "evaluate_saliency": 1, "draw_saliency": 1, **LABELS}
SALIENCY_CRF = {"refine_saliency": 2, "train_poolnet": 1, **SALIENCY, "draw_training": 3}
CAMS = {
    **{"make_cams": 4, "evaluate_cams": 1, "draw_cams": 1, "train_c2am": 1, "make_c2am_maps": 2},
    **SALIENCY_CRF,
    "draw_training": 4,
}

CHANGES: dict[str, tuple[Any, dict[str, int]]] = {
    "cams.flip": (False, CAMS),
    "saliency.crf.iterations": (5, SALIENCY_CRF),
    "saliency.predictions.precision": ("bf16", SALIENCY),
    "affinity.labels.fg_threshold": (0.3, LABELS),
    "affinity.training.radius": (5, AFFINITY),
    "affinity.walk.beta": (8, WALKS),
    "segmentation.pseudo.threshold": (0.25, PSEUDO_LABELS),
    "segmentation.training.optimisation": ({"epochs": 15}, SEGMENTATION),
    "segmentation.training.network": ({"head_norm": "batch"}, SEGMENTATION),
    "segmentation.training.selection": ("last", SEGMENTATION),
    "segmentation.masks.crf": ({"iterations": 0}, MASKS),
    "segmentation.masks.crf.gt_prob": (0.5, {}),  # which its kind of CRF does not read
    "evaluation.threshold_to": (
        0.5,
        {"evaluate_cams": 1, "draw_cams": 1, "evaluate_walks": 1, "draw_walks": 1, "report_chain": 1},
    ),
    "saliency.evaluation.threshold_to": (
        0.6,
        {"evaluate_saliency": 1, "draw_saliency": 1, "report_chain": 1},
    ),
    "segmentation.training.augmentation": ({"crop": 512, "color": []}, {}),  # the defaults
    "machine.progress": (False, {}),
    "machine": ({"threads": 2, "workers": 1, "gpus": 2, "inference_batch": 2, "wandb": "offline"}, {}),
}


def test_a_whole_chain_is_made_once(made: Path, stubs: Path) -> None:
    assert again(made, stubs) == {}


@pytest.mark.parametrize("key", CHANGES)
def test_a_changed_key_runs_its_rules_and_what_follows(
    made: Path, stubs: Path, edit: Callable[[str, Any], None], key: str
) -> None:
    value, expected = CHANGES[key]
    edit(key, value)
    assert again(made, stubs) == expected


def test_the_plan_says_why(made: Path, stubs: Path, edit: Callable[[str, Any], None]) -> None:
    edit("saliency.crf.iterations", 5)
    status, printed = snakemake(made, "--dry-run", *TARGETS, checkout=stubs)
    assert status == 0, printed
    job = printed.partition("refine the saliency of train, shard 000")[2].partition("Job ")[0]
    assert "Reason:" in job and "Params have changed since last execution" in job, job


def test_nothing_is_made_that_a_run_does_without(
    made: Path, stubs: Path, edit: Callable[[str, Any], None]
) -> None:
    edit("segmentation.training.selection", "last")
    shutil.copytree(made / "config", made / "elsewhere" / "config", dirs_exist_ok=True)
    without = again(made / "elsewhere", stubs, TARGETS[0])
    assert (without["make_cams"], without["walk_cams"], without["make_pseudo_labels"]) == (2, 2, 2)
    edit("saliency.method", "none")
    shutil.copytree(made / "config", made / "elsewhere" / "config", dirs_exist_ok=True)
    bare = again(made / "elsewhere", stubs, TARGETS[0])
    assert not {"train_c2am", "make_saliency", "evaluate_saliency"} & set(bare)
    assert bare["make_affinity_labels"] == 2
    shutil.rmtree(made / "elsewhere")


# --- runs on top of it ---


def test_a_child_that_differs_in_its_masks_makes_masks_alone(made: Path, stubs: Path) -> None:
    assert again(made, stubs, "results/masks/val_miou.txt", "results/masks/metrics/chain.csv") == {
        "make_masks": 2,
        "evaluate_labels": 1,
        "report_miou": 1,
        "report_chain": 1,
    }


def test_the_upper_bound_learns_from_masks_alone(made: Path, stubs: Path) -> None:
    targets = ("results/upper/val_miou.txt", "results/upper/metrics/chain.csv")
    expected = {
        "train_segmentation": 1,
        "make_masks": 2,
        "evaluate_labels": 1,
        "report_miou": 1,
        "report_chain": 1,
    }
    assert again(made, stubs, *targets) == expected
    status, printed = snakemake(made, "--dry-run", "results/upper/metrics/walks.json", checkout=stubs)
    assert status == 1 and "segmentation.labels: ground_truth) has no stage 'walks" in printed, printed
    shutil.copytree(made / "config", made / "elsewhere" / "config", dirs_exist_ok=True)
    alone = again(made / "elsewhere", stubs, *targets)
    assert alone == {"make_shapes": 1, "index_images": 2, **expected}
    shutil.rmtree(made / "elsewhere")


def test_masks_of_any_split_can_be_had_and_sent(made: Path, stubs: Path) -> None:
    made_of = {"index_images": 1, "make_masks": 2}
    assert again(made, stubs, "results/chain/comp6_test_cls.tar") == {**made_of, "pack_masks": 1}
    assert again(made, stubs, "results/chain/metrics/masks.train.json") == {
        "make_masks": 2,
        "evaluate_labels": 1,
    }


# --- networks that are given ---


def test_a_run_begins_behind_the_network_that_it_is_given(
    made: Path, stubs: Path, edit: Callable[[str, Any], None]
) -> None:
    edit("given", {"priors": "0" * 12})
    status, printed = snakemake(made, "--dry-run", *TARGETS, checkout=stubs)
    assert status == 1 and "Traceback" not in printed
    assert "error: config/chain.yaml imports priors, but results/chain/given/priors" in printed
    assert "wsss import-weights FILE --run chain --stage priors" in printed
    network = made / "results" / "chain" / "given" / "priors.safetensors"
    network.parent.mkdir()
    network.write_bytes(b"")
    drawn = [target for target in TARGETS if not target.endswith(("oc_training.png", "priors_training.png"))]
    assert again(made, stubs, *drawn) == CAMS
    status, printed = snakemake(made, "--dry-run", "--forceall", TARGETS[-5], checkout=stubs)
    assert "priors_training" in TARGETS[-5] and status == 1
    assert "config/chain.yaml imports priors, results/chain/given: no rule makes it" in printed
    shutil.copytree(made / "config", made / "elsewhere" / "config", dirs_exist_ok=True)
    shutil.copytree(network.parent, made / "elsewhere" / "results" / "chain" / "given")
    alone = again(made / "elsewhere", stubs, *TARGETS[:2])
    assert "train_oc" not in alone and "train_priors" not in alone and alone["make_cams"] == 4
    shutil.rmtree(made / "elsewhere")
    shutil.rmtree(network.parent)


# --- scale ---


def plans(directory: Path, *runs: str) -> tuple[dict[str, float], dict[str, dict[str, int]], float]:
    """By run, CPU seconds to plan it, the quicker of two, and its jobs; and the most MB that one took."""
    found = {run: [plan(directory, run) for _ in range(2)] for run in runs}
    seconds = {run: min(took for _, took, _ in twice) for run, twice in found.items()}
    jobs = {run: twice[0][0] for run, twice in found.items()}
    megabytes = max(memory for twice in found.values() for *_, memory in twice)
    print(f"\nseconds to plan: {seconds}, at most {megabytes:.0f} MB")
    return seconds, jobs, megabytes


def test_voc_takes_at_most_twice_as_long_to_plan_as_shapes(tmp_path: Path) -> None:
    voc_sized(tmp_path)
    seconds, jobs, _ = plans(tmp_path, "voc12", "shapes")
    assert "index_images" not in jobs["voc12"] and jobs["voc12"]["make_masks"] == 16
    assert jobs["voc12"]["make_pseudo_labels"] == 32 == 8 * jobs["shapes"]["make_pseudo_labels"]
    assert seconds["voc12"] <= 2 * seconds["shapes"], seconds


def test_coco_takes_at_most_three_times_as_long_to_plan_as_shapes(tmp_path: Path) -> None:
    coco_sized(tmp_path)
    seconds, jobs, megabytes = plans(tmp_path, "coco14", "shapes")
    assert not {"fetch_data", "paint_masks", "index_images"} & set(jobs["coco14"])
    assert max(jobs["coco14"].values()) == 64, "two splits of 32 shards: no rule has a job per image"
    assert seconds["coco14"] <= 3 * seconds["shapes"], seconds
    assert megabytes < 1000
