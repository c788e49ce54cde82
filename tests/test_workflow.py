"""The workflow as people use it: a tiny run is really made, and what Snakemake would do next is looked at.

Everything happens in temporary directories. `--dist loadfile` keeps these tests in one process, where the
tiny run is made once.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.training import wait_for
from support.workflow import (
    FIGURES,
    NETWORK,
    REPOSITORY,
    TARGETS,
    TINY,
    command,
    planned,
    snakemake,
    write_run,
)

from wsss.commands.run_diagnosis import examine_run
from wsss.errors import UserError
from wsss.runs.jobs import read_jobs
from wsss.runs.run import load_run
from wsss.runs.step import Step

CHILD = {"extends": "tiny", "priors": {"puzzle": {"weight": 2.0}}}

#: jobs of each rule, in order, if all of tiny is made
EVERYTHING = {
    "make_shapes": 1,
    "index_images": 1,
    "train_oc": 1,
    "train_priors": 1,
    "make_cams": 2,
    "evaluate_cams": 1,
    "draw_cams": 1,
    "train_c2am": 1,
    "make_c2am_maps": 2,
    "refine_saliency": 2,
    "train_poolnet": 1,
    "make_saliency": 2,
    "evaluate_saliency": 1,
    "draw_saliency": 1,
    "draw_training": 4,
}


def changed(key: str, value: Any) -> dict[str, Any]:
    """The tiny run with another value of a key, given as a dotted name."""
    config = json.loads(json.dumps(TINY))
    *sections, last = key.split(".")
    place = config
    for section in sections:
        place = place.setdefault(section, {})
    place[last] = value
    return config


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the tiny run, made by Snakemake on two cores, and a child that is not."""
    directory = tmp_path_factory.mktemp("made")
    write_run(directory, "tiny", TINY)
    write_run(directory, "child", CHILD)
    status, printed = snakemake(directory, "--cores", "2", *TARGETS)
    assert status == 0, printed
    return directory


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A copy of the tiny run that a test may change; file times and Snakemake's records are kept."""
    shutil.copytree(made, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy"


@pytest.fixture
def edit(made: Path) -> Iterator[Callable[[str, Any], None]]:
    """Change a key of the tiny run in place, for dry runs; afterwards it is as it was."""
    yield lambda key, value: write_run(made, "tiny", changed(key, value))
    write_run(made, "tiny", TINY)


# --- results that were copied ---


def test_results_copied_without_their_times(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`cp -r` gives all files new times, in its own order; the doctor sees it, and its remedy works."""
    there = tmp_path / "there"
    shutil.copytree(made / "config", there / "config")
    shutil.copytree(made / "results", there / "results", copy_function=shutil.copyfile, symlinks=True)
    assert planned(there), "Snakemake sees new times"
    monkeypatch.chdir(made)
    assert [finding.state for finding in examine_run("tiny")] == ["ok"]
    monkeypatch.chdir(there)
    (finding,) = examine_run("tiny")
    assert finding.state == "note" and "priors" in finding.detail
    assert "snakemake --cores 1 --touch" in finding.remedy
    status, printed = snakemake(there, "--cores", "1", "--touch", *TARGETS)
    assert status == 0, printed
    assert planned(there) == {}
    assert [finding.state for finding in examine_run("tiny")] == ["ok"]


# --- a run from nothing ---


def test_everything_is_made(made: Path) -> None:
    assert planned(made) == {}
    results = made / "results" / "tiny"
    metrics = json.loads((results / "metrics" / "cams.json").read_text())
    assert metrics["run"] == "tiny" and metrics["digest"] == load_run("tiny", made / "config").digest(
        "cams_metrics"
    )
    assert metrics["protocol"]["images"] == 24 and 0 <= metrics["miou"] <= 100
    scores = json.loads((results / "metrics" / "saliency.json").read_text())
    assert scores["kinds"] == ["c2am", "crf", "poolnet"] and scores["protocol"]["images"] == 24
    for name in (*FIGURES, "cams_threshold", "saliency_threshold"):
        with Image.open(results / "figures" / f"{name}.png") as picture:
            assert min(picture.size) > 100
    assert len(list((results / "data" / "JPEGImages").iterdir())) == 32
    assert not list((results / "checkpoints").glob("*/step-*")), "a finished training needs no checkpoints"


def test_every_job_leaves_a_log_and_a_benchmark(made: Path) -> None:
    results = made / "results" / "tiny"
    jobs = sum(EVERYTHING.values())
    assert len(list((results / "logs").iterdir())) == jobs
    assert len(list((results / "benchmarks").iterdir())) == jobs
    records = read_jobs(results)
    assert len(records) == jobs and {job.state for job in records.values()} == {"done"}
    run = load_run("tiny", made / "config")
    assert all(job.digest == run.digest(job.stage) for job in records.values())
    table = run_script(made, "tabulate_benchmarks", "--run", "tiny")[1]
    assert sorted(line.split("|")[1].strip() for line in table.splitlines()[2:]) == sorted(EVERYTHING)


def test_snakemakes_report_has_every_figure_with_category_and_caption(made: Path, tmp_path: Path) -> None:
    status, printed = snakemake(made, "--report", str(tmp_path / "own.html"), "--", *TARGETS)
    assert status == 0, printed
    text = (tmp_path / "own.html").read_text(encoding="utf-8")
    for word in ("Trainings", "Priors", "Saliency", "thresholds", "Course of the training of poolnet"):
        assert word in text
    assert all(f"{name}.png" in text for name in FIGURES)


def test_nothing_is_left_half_written(made: Path) -> None:
    assert not [path for path in (made / "results").rglob("*") if ".part" in path.name]


def test_shards_were_made_side_by_side(made: Path) -> None:
    """With one thread each, two cores take both."""
    # Other tests may have called Snakemake here; the oldest log is that of the run that made everything.
    log = min((made / ".snakemake" / "log").glob("*.log")).read_text()
    started = [match.start() for match in re.finditer(r"CAMs of train, shard", log)]
    finished = log.index("(Rule: make_cams)")
    assert len(started) == 2 and max(started) < finished


def test_commands_are_what_anyone_can_type(copy: Path) -> None:
    """What `-p` prints makes the output again, by hand; in the checkout even without PYTHONPATH."""
    output = copy / "results" / "tiny" / "metrics" / "cams.json"
    printed = snakemake(copy, "--dry-run", "-p", "--forcerun", "evaluate_cams", "--", *TARGETS)[1]
    line = re.search(r"^Shell command: (.*scripts\.evaluate_cams .*)$", printed, re.MULTILINE)
    assert line
    python = Path(sys.executable).parent
    activated = {**os.environ, "PATH": f"{python}{os.pathsep}{os.defpath}", "PYTHONPATH": str(REPOSITORY)}
    output.unlink()
    subprocess.run(line[1], shell=True, cwd=copy, check=True, capture_output=True, env=activated)
    assert output.is_file()


# --- what is made again ---

SCORED_CAMS = {"evaluate_cams": 1, "draw_cams": 1}
SCORED_SALIENCY = {"evaluate_saliency": 1, "draw_saliency": 1}
#: what follows the masks of the CRF, without the figure of PoolNet's training
AFTER_CRF = {"train_poolnet": 1, "make_saliency": 2, **SCORED_SALIENCY}
AFTER_C2AM = {"make_c2am_maps": 2, "refine_saliency": 2, **AFTER_CRF}
AFTER_PRIORS = {"make_cams": 2, **SCORED_CAMS, "train_c2am": 1, **AFTER_C2AM}
CHANGES: dict[str, tuple[Any, dict[str, int]]] = {
    "dataset.seed": (7, EVERYTHING),
    "oc.optimisation.lr": (0.05, {"train_oc": 1, "train_priors": 1, **AFTER_PRIORS, "draw_training": 4}),
    "priors.puzzle.weight": (3.0, {"train_priors": 1, **AFTER_PRIORS, "draw_training": 3}),
    "cams.scales": ([0.5, 1.0], {**AFTER_PRIORS, "draw_training": 2}),
    "cams.shards": (
        3,
        {
            **AFTER_PRIORS,
            **dict.fromkeys(("make_cams", "make_c2am_maps", "refine_saliency", "make_saliency"), 3),
            "draw_training": 2,
        },
    ),
    "evaluation.threshold_step": (0.1, SCORED_CAMS),
    "saliency.c2am.hints.fg_threshold": (0.3, {"train_c2am": 1, **AFTER_C2AM, "draw_training": 2}),
    "saliency.maps.flip": (False, {**AFTER_C2AM, "draw_training": 1}),
    "saliency.crf.iterations": (2, {"refine_saliency": 2, **AFTER_CRF, "draw_training": 1}),
    "saliency.evaluation.threshold_to": (0.9, SCORED_SALIENCY),
    "priors.noc": ({"oc_gradient": "none", "every": 1}, {}),  # the defaults
    "machine": ({"threads": 2, "workers": 1, "progress": False, "inference_batch": 2, "gpus": 2}, {}),
}


@pytest.mark.parametrize("key", CHANGES)
def test_a_changed_key_runs_its_rules_and_what_follows(made: Path, edit: Callable, key: str) -> None:
    value, expected = CHANGES[key]
    edit(key, value)
    assert planned(made) == expected


def test_another_method_needs_no_oc(made: Path, edit: Callable) -> None:
    edit("priors.method", "vanilla")
    assert planned(made, *TARGETS[:2]) == {"train_priors": 1, "make_cams": 2, **SCORED_CAMS}
    edit("priors.method", "puzzle")
    shutil.copytree(made / "config", made / "elsewhere" / "config")
    assert "train_oc" not in planned(made / "elsewhere", TARGETS[0])
    shutil.rmtree(made / "elsewhere")


def test_a_run_has_the_rules_of_its_saliency(made: Path, edit: Callable) -> None:
    edit("saliency.refine", "none")
    assert planned(made, TARGETS[-1]) == {"evaluate_saliency": 1}, "the masks of the CRF are passed on"
    edit("saliency.method", "c2am")
    assert planned(made, TARGETS[-1]) == {
        rule: jobs for rule, jobs in {"train_c2am": 1, **AFTER_C2AM}.items() if rule != "draw_saliency"
    }
    edit("saliency.method", "none")
    assert planned(made, TARGETS[0]) == {}
    status, printed = snakemake(made, "--dry-run", TARGETS[-1])
    assert status == 1
    assert re.search("run tiny .*saliency.method: none.* has no stage 'c2am_maps'", printed), printed


def test_a_touched_or_moved_checkout_makes_nothing_again(made: Path, tmp_path: Path) -> None:
    for name in ("Snakefile", "rules", "workflow", "profiles"):
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, tmp_path / name)
    assert planned(made, checkout=tmp_path) == {}


def test_rules_find_their_python_without_an_activated_environment(copy: Path) -> None:
    without = {**os.environ, "PATH": os.pathsep.join(["/usr/bin", "/bin"])}
    assert planned(copy, env=without) == {}
    (copy / "results" / "tiny" / "index" / "train.csv").unlink()
    status, printed = snakemake(copy, "--cores", "1", "results/tiny/index/train.csv", env=without)
    assert status == 0, printed


# --- runs on top of runs ---


def test_a_child_begins_at_the_first_difference(made: Path) -> None:
    assert planned(made, "results/child/metrics/cams.json") == {
        "train_priors": 1,
        "make_cams": 2,
        "evaluate_cams": 1,
    }


def test_a_childs_directory_is_refused_what_its_parent_owns(made: Path) -> None:
    status, printed = snakemake(made, "--dry-run", "results/child/models/oc.safetensors")
    assert status == 1
    assert "results/child has no oc of its own" in printed and "of run tiny, in results/tiny" in printed
    assert "Traceback" not in printed


# --- mistakes ---


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"extends": "tiny", "priors": {"puzzel": 1}}, "config/wrong.yaml:3: priors.puzzel: unknown key"),
        (
            {"extends": "tiny", "cams": {"flip": 3}},
            "config/wrong.yaml:3: cams.flip = 3: must be true | false",
        ),
        (None, "config/wrong.yaml: no such run; config has the runs child, tiny"),
    ],
    ids=["unknown key", "wrong value", "no such run"],
)
def test_a_mistake_stops_before_anything_is_planned(made: Path, config: dict | None, expected: str) -> None:
    path = made / "config" / "wrong.yaml"
    if config is not None:
        write_run(made, "wrong", config)
    try:
        status, printed = snakemake(made, "--cores", "1", "results/wrong/metrics/cams.json")
    finally:
        path.unlink(missing_ok=True)
    assert status == 1
    assert expected in printed and "error: " in printed
    assert "Building DAG" not in printed and "Traceback" not in printed and "File " not in printed


def test_weights_that_cannot_be_had_stop_before_anything_trains(copy: Path) -> None:
    config = changed("oc.network.backbone", "mobilenetv3_smal_050")
    config["priors"]["network"] = {**NETWORK, "weights": "no/such.pth"}
    write_run(copy, "tiny", config)
    for dry_run in (["--dry-run"], []):
        status, printed = snakemake(copy, "--cores", "1", *dry_run, *TARGETS)
        assert status == 1
        assert re.search("oc.network: .* no such network; similar: mobilenetv3_small_050", printed)
        assert re.search("priors.network: .*no/such.pth.*: no such file", printed)
        assert printed.count("error: ") == 1
        assert "Traceback" not in printed and "Execute" not in printed and "File " not in printed
    write_run(copy, "tiny", changed("oc.optimisation.lr", 0.5))
    assert planned(copy)["train_oc"] == 1, "the directory is not locked"


def test_weights_are_looked_for_only_when_something_trains(copy: Path) -> None:
    """Weights that cannot be fetched any more do not keep anyone from what needs none."""
    config = changed("priors.network.weights", "package")
    write_run(copy, "tiny", config)
    status, printed = snakemake(copy, "--cores", "1", "results/tiny/index/val.csv")
    assert status == 0 and "nothing was started" not in printed, printed


# --- what is on disk ---


def run_script(directory: Path, name: str, *arguments: str) -> tuple[int, str]:
    """Run a script of the workflow by hand."""
    call = [sys.executable, "-m", f"workflow.scripts.{name}", *arguments]
    ended = subprocess.run(
        call,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return ended.returncode, ended.stdout


def evaluate(directory: Path, *shards: str) -> tuple[int, str]:
    """Score these shards of the tiny run by hand."""
    run = load_run("tiny", directory / "config")
    return run_script(
        directory,
        "evaluate_cams",
        *("--run", "tiny", "--config", run.section("cams_metrics")),
        *("--index", "results/tiny/index/train.csv", "--out", "again.json", "--curve", "again.csv"),
        *("--images", "again.images.csv"),
        *("--cams", *(f"results/tiny/cams/train/{shard}.safetensors" for shard in shards)),
    )


def test_a_missing_shard_is_an_error_with_names(copy: Path) -> None:
    status, printed = evaluate(copy, "000")
    assert status == 1
    assert "12 of 24 images with a mask have no CAM" in printed and "train_00001" in printed
    assert not (copy / "again.json").exists()


def test_a_shard_that_the_run_has_not_is_refused(made: Path) -> None:
    run = load_run("tiny", made / "config")
    arguments = argparse.Namespace(threads=1, shard=2, out=made / "002.safetensors")
    step = Step(arguments, "cams", run, run.config.cams)
    with pytest.raises(UserError, match=r"002\.safetensors: shard 2 does not exist; .* cams\.shards = 2"):
        assert step.shard


def test_an_input_of_another_configuration_is_refused(copy: Path) -> None:
    """Snakemake forgets when its records are lost; the digests in the files do not."""
    shutil.rmtree(copy / ".snakemake")
    write_run(copy, "tiny", changed("cams.scales", [0.5]))
    status, printed = evaluate(copy, "000", "001")
    assert status == 1
    assert "results/tiny/cams/train/000.safetensors: made from another configuration" in printed
    about = copy / "results" / "tiny" / "index" / "train.json"
    about.write_text(about.read_text().replace('"digest": "', '"digest": "0'))
    assert "results/tiny/index/train.csv: made from another configuration" in evaluate(copy, "000", "001")[1]


def test_a_drawn_data_set_of_another_seed_is_refused(copy: Path) -> None:
    write_run(copy, "tiny", changed("dataset.seed", 7))
    config = load_run("tiny", copy / "config").section("index")
    status, printed = run_script(
        copy, "index_images", "--run", "tiny", "--config", config, "--split", "train", "--out", "again.csv"
    )
    assert status == 1 and "results/tiny/data: made from another configuration" in printed


def test_a_file_that_was_changed_since_stops_a_job(copy: Path) -> None:
    asked = load_run("tiny", copy / "config").section("index")
    write_run(copy, "tiny", changed("dataset.seed", 7))
    status, printed = run_script(copy, "make_shapes", "--run", "tiny", "--config", asked, "--out", "again")
    assert status == 1 and "The file was changed since: start snakemake again." in printed


# --- interruption ---


def test_a_killed_training_goes_on(copy: Path) -> None:
    config = changed("priors.optimisation.epochs", 4)
    write_run(copy, "tiny", config)
    checkpoints = copy / "results" / "tiny" / "checkpoints" / "priors"
    call = command("--cores", "1", "results/tiny/models/priors.safetensors")
    started = subprocess.Popen(
        call, cwd=copy, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not list(checkpoints.glob("step-*")):
        assert time.monotonic() < deadline and started.poll() is None, started.communicate()
        time.sleep(0.05)
    os.killpg(started.pid, signal.SIGTERM)
    printed = started.communicate(timeout=60)[0].decode()
    assert started.returncode == 1, printed
    assert list(checkpoints.glob("step-*")), "what was trained is kept"
    assert not (copy / "results" / "tiny" / "models" / "priors.safetensors").exists()
    assert not list((copy / ".snakemake" / "locks").glob("*"))
    # What was made from the model before is there still, and must not be taken for up to date.
    assert planned(copy, TARGETS[0]) == {"train_priors": 1, "make_cams": 2, "evaluate_cams": 1}
    status, printed = snakemake(copy, "--cores", "1", "results/tiny/models/priors.safetensors")
    assert status == 0, printed
    log = (copy / "results" / "tiny" / "logs" / "train_priors.log").read_text()
    assert re.search(r"tiny/priors: resumes at step \d+/12", log), log


def test_what_outlives_snakemake_is_not_trained_again(copy: Path) -> None:
    """Killed without a last word, it leaves a training behind that ends by itself."""
    write_run(copy, "tiny", changed("priors.optimisation.epochs", 4))
    results = copy / "results" / "tiny"
    model, log = results / "models" / "priors.safetensors", results / "logs" / "train_priors.log"
    before = model.stat().st_mtime_ns
    started = subprocess.Popen(command("--cores", "1", TARGETS[0]), cwd=copy, start_new_session=True)
    wait_for(lambda: (results / "checkpoints" / "priors" / "lock").exists(), 120)
    started.kill()
    started.wait()
    wait_for(lambda: list((results / "finished").glob("priors-*")), 120)
    wait_for(lambda: not (results / "checkpoints" / "priors").exists(), 120)
    trained = model.read_bytes()
    assert model.stat().st_mtime_ns > before
    assert snakemake(copy, "--unlock", TARGETS[0])[0] == 0
    assert planned(copy, TARGETS[0]) == {"train_priors": 1, "make_cams": 2, "evaluate_cams": 1}
    status, printed = snakemake(copy, "--cores", "1", TARGETS[0])
    assert status == 0, printed
    assert "tiny/priors: restored from a finished training" in log.read_text()
    assert model.read_bytes() == trained
    assert not (results / "finished").exists(), "recorded by now"
    again = str(model.relative_to(copy))
    status, printed = snakemake(copy, "--cores", "1", "--forcerun", "train_priors", "--", again)
    assert status == 0 and "restored from a finished training" not in log.read_text(), printed


# --- several GPUs ---


@pytest.fixture
def gpus(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine whose driver shows two GPUs; torch finds none and computes on the CPU."""
    driver = tmp_path / "driver" / "nvidia-smi"
    driver.parent.mkdir()
    driver.write_text("#!/bin/sh\necho 'GPU 0: one'\necho 'GPU 1: other'\n")
    driver.chmod(0o755)
    (tmp_path / "locks").mkdir()
    path = f"{driver.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TMPDIR": str(tmp_path / "locks")}
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    return environment


def log_of(directory: Path, job: str) -> str:
    """What a job of the tiny run has said."""
    return (directory / "results" / "tiny" / "logs" / f"{job}.log").read_text()


def test_shards_spread_over_the_gpus_and_a_training_takes_what_it_asks_for(
    copy: Path, gpus: dict[str, str]
) -> None:
    """More jobs at once than there are GPUs: who finds none free waits, says so, and has its turn."""
    config = changed("cams.shards", 4)
    config["machine"] = {**TINY["machine"], "device": "auto", "gpus": 2}
    write_run(copy, "tiny", config)
    status, printed = snakemake(
        copy,
        "--cores",
        "4",
        *(f"results/tiny/cams/train/{shard:03d}.safetensors" for shard in range(4)),
        env=gpus,
    )
    assert status == 0, printed
    logs = [log_of(copy, f"make_cams.train.{shard:03d}") for shard in range(4)]
    taken = [re.findall(r"computes on GPU (\S+) \(of 2\)", log) for log in logs]
    assert sorted({gpu for (gpu,) in taken}) == ["0", "1"]
    write_run(copy, "tiny", {**config, "priors": {**TINY["priors"], "puzzle": {"weight": 2.0}}})
    status, printed = snakemake(copy, "--cores", "2", "results/tiny/models/priors.safetensors", env=gpus)
    assert status == 0, printed
    assert "computes on GPU 0,1 (of 2)" in log_of(copy, "train_priors")


# --- data sets in VOC's layout ---


@pytest.fixture
def photographs(shared: Path, tmp_path: Path) -> Path:
    """A directory with the real images, a run on them, and one on the derived split."""
    (tmp_path / "data").symlink_to(shared / "voc12-mini")
    write_run(tmp_path, "photographs", {**TINY, "dataset": {"kind": "voc", "root": "data"}})
    return tmp_path


def test_train_aug_is_what_has_a_mask_and_is_not_in_val(photographs: Path, shared: Path) -> None:
    targets = [f"results/photographs/index/{split}.csv" for split in ("train_aug", "val")]
    status, printed = snakemake(photographs, "--cores", "2", *targets)
    assert status == 0, printed
    listed = (photographs / targets[0]).read_text().splitlines()[1:]
    expected = (shared / "voc12-mini" / "ImageSets" / "Segmentation" / "train.txt").read_text().split()
    assert [line.partition(",")[0] for line in listed] == sorted(expected)


def test_voc12_is_planned_without_its_images(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    cams = {"fetch_data": 1, "index_images": 1, "train_oc": 1, "train_priors": 1, "make_cams": 16}
    assert planned(tmp_path, "results/voc12/metrics/cams.json") == {**cams, "evaluate_cams": 1}
    assert planned(tmp_path, "results/voc12/metrics/saliency.json") == {
        **cams,
        "train_c2am": 1,
        "make_c2am_maps": 16,
        "refine_saliency": 16,
        "train_poolnet": 1,
        "make_saliency": 16,
        "evaluate_saliency": 1,
    }
