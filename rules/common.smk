# The configuration of a run, and the files of its stages.
from wsss.runs.terminal import end_quietly_on_ctrl_c, install

# First of all: the other imports take a second.
end_quietly_on_ctrl_c()

import json
import os
import re
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

from wsss.errors import UserError
from wsss.store.files import is_there
from wsss.store.retained import discard
from wsss.imports.entry import has_maps, require_imported
from wsss.machine.caches import replace_caches
from wsss.machine.patience import retry_unanswered_queries
from wsss.runs.choices import (
    final_saliency,
    learns_from_pseudo_labels,
    prior_stage,
    scored_saliency,
    selects_epoch,
    uses_regions,
)
from wsss.runs.networks import described, network_faults, trainings_of
from wsss.runs.run import RUN_OR_SEED, Run, load_run, metrics_files, pictured, repeats, stages
from wsss.runs.stages import SALIENCY, STAGES


def names_of(kind: str) -> str:
    """The stages of a kind, as an expression that their names match."""
    return "|".join(name for name, stage in STAGES.items() if stage.kind == kind)


wildcard_constraints:
    run=RUN_OR_SEED,
    split=r"[A-Za-z0-9_-]+",
    shard=r"\d\d\d",
    training=names_of("training"),
    labels=names_of("labels"),


# `python -m workflow.scripts.…` in a rule uses this environment and this checkout, from any directory. Their
# paths are in the prefix: in a rule they would be part of its text, and moving them would train everything again.
# `exec`: a scheduler signals every process of a job, and a shell that ends would end the job before a training has
# saved its checkpoint.
ENVIRONMENT, CHECKOUT = str(Path(sys.executable).parent), str(workflow.basedir)
# What runs the scripts elsewhere, such as `apptainer exec --nv wsss.sif`; it repeats no rule, for the same reason.
CONTAINER = config.get("container", "")
shell.prefix(
    "export PATH={ENVIRONMENT:q}:$PATH PYTHONPATH={CHECKOUT:q}:$PYTHONPATH; set -euo pipefail; exec {CONTAINER} "
)

# Jobs of a user whose home cannot be written keep their caches here.
replace_caches(Path(".snakemake"))

# SIGUSR1 asks trainings to save a checkpoint and end. The Snakemake of the job gets it, too, and ignores it.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def stop(message: str) -> None:
    """End with a message; an exception would print a traceback of the rules."""
    sys.exit(f"error: {message}")


@cache
def run_named(name: str) -> Run:
    """The run of config/<name>.yaml."""
    return load_run(name)


def requested_runs() -> set[str]:
    """Names of the runs whose files the command line asks for."""
    # Snakemake knows its targets only after it has read all rules, and then plans at once.
    words = sys.argv[1:]
    prepared = {word.removesuffix("_data") for word in words if word in ("voc12_data", "coco14_data")}
    targets = [re.match(f"results/({RUN_OR_SEED})/.", word) for word in words]
    return prepared | {target[1] for target in targets if target}


def run_check(script: str, trainings: list[str], **options) -> subprocess.CompletedProcess:
    """Run a script that no rule runs, of this checkout, on trainings."""
    path = os.pathsep.join([CHECKOUT, os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", f"workflow.scripts.{script}", *trainings]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, **options)


@cache
def faults_of_networks() -> dict[str, str]:
    """What the networks of trainings lack, by RUN/STAGE, of all runs that the command line asks for."""

    def check(trainings: list[str]) -> dict[str, str]:
        done = run_check("check_networks", trainings, stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout) if done.returncode == 0 else stop("the networks could not be checked")

    asked = [run for name in sorted(requested_runs()) for run in run_named(name).lineage]
    return network_faults({run.name: run for run in asked}.values(), check)


def require_network(run: Run, stage: str) -> None:
    """Stop where the network of a training of the DAG cannot be had, with all such trainings of its run."""
    if not workflow.is_main_process or STAGES[stage].kind != "training":
        return
    faults = {name: fault for name, fault in faults_of_networks().items() if name.startswith(f"{run.name}/")}
    if f"{run.name}/{stage}" in faults:
        stop(f"{run.file}: {described(faults)}")


def config_of(stage: str):
    """The stage's section as JSON, whose keys make its rule run again. The stage may contain wildcards."""

    def section(wildcards) -> str:
        run, name = run_named(wildcards.run), stage.format(**wildcards)
        try:
            owner = run.owner(name)
        except UserError as error:
            stop(str(error))
        if owner is not run:
            stop(
                f"results/{run.name} has no {name} of its own: it is the same as that of run {owner.name}, in "
                f"{run.directory(name)}"
            )
        if run.given(name):
            stop(f"{run.file} imports {name}, {run.directory(name)}/given: no rule makes it")
        require_network(run, name)
        return run.section(name)

    return section


def digest_of(stage: str):
    """The digest of the stage's section and of all before it.

    It makes later rules run again, too: when an earlier job is killed, Snakemake removes its output, forgets
    that its parameters changed, and considers files made from the old output up to date.
    """
    return lambda wildcards: run_named(wildcards.run).digest(stage.format(**wildcards))


def settings_of(stage: str) -> dict:
    """The params of a rule: what makes it run again."""
    return {"config": config_of(stage), "digest": digest_of(stage)}


def split_of(wildcards, split: str = "") -> str:
    """The name of a split: "train" or "val" of the run's data set, or the value of the wildcard."""
    data = run_named(wildcards.run).config.dataset
    return {"train": data.train, "val": data.val}[split] if split else wildcards.get("split", "")


def output_of(stage: str, split: str = ""):
    """The output of an earlier stage, in the directory of the run that owns it.

    split: as of `split_of`. Wildcards may be part of the stage's name, too.
    """

    def path(wildcards) -> str:
        part = split_of(wildcards, split), wildcards.get("shard", "")
        return str(run_named(wildcards.run).output(stage.format(**wildcards), *part))

    return path


def shards_of(stage: str, split: str = ""):
    """All shards of a split of an earlier stage; arguments as of `output_of`."""

    def paths(wildcards) -> list[str]:
        run, name = run_named(wildcards.run), stage.format(**wildcards)
        shards = [f"{shard:03d}" for shard in range(run.config.cams.shards)]
        return [str(run.output(name, split_of(wildcards, split), shard)) for shard in shards]

    return paths


def metrics_of(stage: str):
    """The metrics file of an earlier stage."""
    return lambda wildcards: str(run_named(wildcards.run).metrics(stage))
