"""The workflow on a real Slurm: `snakemake --profile slurm`, jobs in their places, disturbed and lost.

`make test-slurm` runs these tests where Slurm is installed and this is root; they take minutes.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from support.slurm import OnSlurm, Slurm, missing, said, wait_until
from support.workflow import WHOLE, make, write_run

pytestmark = pytest.mark.slurm

GPUS = 2
#: the chain without saliency; GPUs may be used where there are some
CHAIN: dict[str, Any] = {
    **WHOLE,
    "priors": {**WHOLE["priors"], "method": "vanilla"},
    "saliency": {"method": "none"},
    "segmentation": {
        **WHOLE["segmentation"],
        "training": {**WHOLE["segmentation"]["training"], "selection": "last"},
    },
    "machine": {**WHOLE["machine"], "device": "auto", "threads": 2},
}
CHAIN["affinity"]["labels"] = {"iterations": 1, "bg_threshold": 0.05, "fg_threshold": 0.3}
MIOU = "results/whole/val_miou.txt"
MODEL = "results/long/models/priors.safetensors"
CHECKPOINTS = "results/long/checkpoints/priors"
JOB = "rule_train_priors_wildcards_long"
STEPS = 210
GPU = {"slurm_partition": "gpu"}
ON_GPUS = {"train_priors": GPU}


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """Started for these tests."""
    if why := missing():
        pytest.skip(why)
    running = Slurm(tmp_path_factory.mktemp("slurm"))
    yield running
    running.stop()


def long(**machine: Any) -> dict[str, Any]:
    """A training of some time on several GPUs, with a checkpoint only when somebody asks for it."""
    optimisation = {"epochs": STEPS // 3}
    machine = {"checkpoint_minutes": 600, "gpus": GPUS, "processes": GPUS, **machine}
    return {"extends": "whole", "priors": {"optimisation": optimisation}, "machine": machine}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configurations, and a place for their results without Slurm; the indexes are there."""
    directory = tmp_path_factory.mktemp("chain")
    write_run(directory, "whole", CHAIN)
    write_run(directory, "long", long())
    make(directory, *(f"results/whole/index/{split}.csv" for split in ("train", "val")))
    return directory


@pytest.fixture(scope="module")
def undisturbed(chain: Path) -> Path:
    """The directory of `chain`, where the long training has been made without Slurm, too."""
    make(chain, MODEL)
    return chain


@pytest.fixture
def place(slurm: Slurm, chain: Path, tmp_path: Path) -> Path:
    """A directory with the configurations, and the data set and indexes of `whole`."""
    shutil.copytree(chain / "config", tmp_path / "config")
    for name in ("data", "index"):
        shutil.copytree(chain / "results" / "whole" / name, tmp_path / "results" / "whole" / name)
    return tmp_path


@pytest.fixture
def started(place: Path) -> Iterator[Any]:
    """Start the workflow on Slurm; it is over when the test is."""
    runs: list[OnSlurm] = []

    def start(*targets: str, **changes: Any) -> OnSlurm:
        runs.append(OnSlurm(place, *targets, changes=changes))
        return runs[-1]

    yield start
    for run in runs:
        run.kill()


def jobs() -> dict[str, list[str]]:
    """What is queued or runs: rule and wildcards -> partition, GPUs, CPUs, GPU type and number asked for."""
    table = said("squeue", "-h", "-O", "Partition:|,tres-per-job:|,NumCPUs:|,Comment:200")
    rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
    return {row[3]: row[:3] for row in rows}


def trains(place: Path, run: OnSlurm, tries: int, gone_on: list[int] | None = None) -> str:
    """Wait until the long training has begun to train in its `tries`th job, whose number this is.

    gone_on: gets the step from which it goes on, after an interruption.
    """
    log = place / "results" / "long" / "logs" / "train_priors.log"

    def begun() -> bool:
        text = log.read_text(encoding="utf-8") if log.exists() and len(run.submitted()) == tries else ""
        found = re.search(r"resumes at step (\d+)/", text)
        if gone_on is None:
            return (place / CHECKPOINTS / "metrics.csv").exists()
        if found is None or int(found[1]) in gone_on:
            return False
        gone_on.append(int(found[1]))
        return True

    wait_until(begun, f"does not train: {run.printed()}")
    return run.submitted()[-1]


def saved(place: Path) -> list[Path]:
    """The long training's checkpoints."""
    return list((place / CHECKPOINTS).glob("step-*.pt"))


def assert_equal(place: Path, undisturbed: Path) -> None:
    """The long training has given the same network in both, bit for bit."""
    one, other = (load_file(directory / MODEL) for directory in (place, undisturbed))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_chain_is_that_of_a_run_without_slurm(slurm: Slurm, chain: Path, tmp_path: Path) -> None:
    shutil.copytree(chain / "config", tmp_path / "config")
    typed = {rule: {"gpu_model": "standin", "slurm_partition": "gpu"} for rule in ("make_cams", "make_masks")}
    run = OnSlurm(tmp_path, MIOU, changes={"set-resources": ON_GPUS | typed})
    seen: dict[str, list[str]] = {}

    def over() -> bool:
        seen.update(jobs())
        return run.process.poll() is not None

    try:
        wait_until(over, "takes too long", 900)
    finally:
        run.kill()
    assert run.process.returncode == 0, run.printed()
    make(chain, MIOU)
    assert (tmp_path / MIOU).read_bytes() == (chain / MIOU).read_bytes()
    assert seen["rule_train_priors_wildcards_whole"] == ["gpu", "gres:gpu:1", "2"]
    assert seen["rule_make_cams_wildcards_whole_train_000"] == ["gpu", "gres:gpu:standin:1", "1"]
    assert seen["rule_index_images_wildcards_whole_train"] == ["cpu", "N/A", "2"]
    packed = [name for name in seen if "make_affinity_labels" in name]
    assert len(packed) == 1 and seen[packed[0]] == ["cpu", "N/A", "2"], "both shards are one job of two CPUs"
    logs = tmp_path / "results" / "whole" / "logs"
    assert (logs / "make_affinity_labels.train.001.log").is_file()


def test_a_training_that_is_disturbed_goes_on_from_where_it_was(
    place: Path, undisturbed: Path, started: Any
) -> None:
    """By the signal before a preemption, by being put back into the queue, by its time limit, by hand."""
    run = started(MODEL, **{"set-resources": ON_GPUS | {"train_priors": {**GPU, "runtime": 1}}, "retries": 3})
    gone_on: list[int] = []

    first = trains(place, run, 1)
    assert jobs()[JOB][:2] == ["gpu", f"gres:gpu:{GPUS}"], "one training, several GPUs"
    said("scancel", "--signal=USR1", first)
    wait_until(lambda: saved(place), "nothing is saved")

    second = trains(place, run, 2, gone_on)
    said("scontrol", "requeue", second)
    wait_until(
        lambda: JOB in jobs() and said("squeue", "-h", "-j", second, "-o", "%T") == "PENDING",
        "is not put back",
    )
    assert trains(place, run, 2, gone_on) == second, "Slurm itself has started it again"
    # Stopped, it cannot be done before a minute is over; Slurm lets it continue before it asks it to leave.
    said("scancel", "--signal=STOP", second)

    third = trains(place, run, 3, gone_on)
    said("scancel", third)

    trains(place, run, 4, gone_on)
    assert run.ended() == 0, run.printed()
    assert gone_on == sorted(gone_on) and len(set(gone_on)) == 4 and gone_on[0] > 0
    assert "SLURM status is: 'TIMEOUT'" in run.printed()
    assert_equal(place, undisturbed)


def test_a_lost_node_costs_no_more_than_the_last_checkpoint(
    slurm: Slurm, place: Path, undisturbed: Path, started: Any
) -> None:
    """Where Slurm is not to put the job back, the run ends, says why, and can be started again."""
    write_run(place, "long", long(checkpoint_minutes=0))
    run = started(MODEL, **{"slurm-requeue": False, "slurm-no-requeue": True, "retries": 0})
    trains(place, run, 1)
    wait_until(lambda: saved(place), "nothing is saved")
    slurm.lose_node()
    assert run.ended() == 1
    assert re.search("failed due to a node failure, SLURM status is: 'NODE_FAIL'", run.printed()), (
        run.printed()
    )
    assert not (place / MODEL).exists()
    slurm.return_node()
    gone_on: list[int] = []
    again = started(MODEL)
    trains(place, again, 1, gone_on)
    assert gone_on[0] > 0
    assert again.ended() == 0, again.printed()
    assert_equal(place, undisturbed)


def test_a_lost_nodes_training_goes_on_when_the_node_is_back(
    slurm: Slurm, place: Path, undisturbed: Path, started: Any
) -> None:
    """As the profile has it: Slurm puts the job back into the queue, and Snakemake waits for it."""
    write_run(place, "long", long(checkpoint_minutes=0))
    run = started(MODEL)
    first = trains(place, run, 1)
    wait_until(lambda: saved(place), "nothing is saved")
    slurm.lose_node()
    slurm.return_node()
    gone_on: list[int] = []
    assert trains(place, run, 1, gone_on) == first
    assert gone_on[0] > 0
    assert run.ended() == 0, run.printed()
    assert_equal(place, undisturbed)


def test_a_training_on_two_nodes_is_that_of_two_processes(
    slurm: Slurm, place: Path, undisturbed: Path, started: Any
) -> None:
    """And the signal before a preemption reaches both."""
    write_run(place, "long", long(nodes=GPUS, gpus=1, processes=1, threads=1))
    run = started(MODEL, **{"set-resources": {"train_priors": {"slurm_partition": "gpus"}}})
    first = trains(place, run, 1)
    assert said("squeue", "-h", "-j", first, "-o", "%D %N") == "2 one,two"
    assert jobs()[JOB][:2] == ["gpus", "gres:gpu:2"]
    said("scancel", "--signal=USR1", first)
    gone_on: list[int] = []
    trains(place, run, 2, gone_on)
    assert gone_on[0] > 0
    assert run.ended() == 0, run.printed()
    assert_equal(place, undisturbed)


def test_slurm_may_be_away_for_a_while(slurm: Slurm, place: Path, started: Any) -> None:
    """Its controller is restarted while a job runs."""
    run = started("results/whole/index/val.csv", forcerun=["index_images"])
    wait_until(run.submitted, "nothing is submitted")
    slurm.lose_controller()
    wait_until(lambda: "Slurm does not answer; asking again" in run.printed(), "it is not missed")
    slurm.return_controller()
    assert run.ended() == 0, run.printed()
