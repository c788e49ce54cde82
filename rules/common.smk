# What a run asks for: its configuration, and where its stages' files lie.
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import snakemake_executor_plugin_slurm as slurm_plugin

from wsss.errors import UserError
from wsss.store.files import is_there
from wsss.store.retained import discard
from wsss.imports.entry import has_maps, require_given
from wsss.machine.patience import patient, steady
from wsss.runs.run import RUN_NAME, Run, load_run, metrics_files, stages
from wsss.runs.stages import final_saliency, scored_saliency, selects_epoch


wildcard_constraints:
    run=RUN_NAME,
    split=r"[A-Za-z0-9_-]+",
    shard=r"\d\d\d",
    training="oc|priors|c2am|poolnet|affinity|segmentation",
    labels="affinity_labels|pseudo_labels|masks",


# `python -m workflow.scripts.…` in a rule means this environment and this checkout, wherever Snakemake is
# started. Their paths stand here: in a rule they would be part of its text, and a move would train all again.
# `exec`: a scheduler signals every process of a job, and a shell that dies of it takes the job with it before a
# training has saved.
ENVIRONMENT, CHECKOUT = str(Path(sys.executable).parent), str(workflow.basedir)
shell.prefix(
    "export PATH={ENVIRONMENT:q}:$PATH PYTHONPATH={CHECKOUT:q}:$PYTHONPATH; set -euo pipefail; exec "
)

# SIGUSR1 asks trainings to save and leave. The Snakemake that a job's training runs under gets it, too.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)

slurm_plugin.query_job_status = patient(slurm_plugin.query_job_status)
slurm_plugin.get_min_job_age = steady(slurm_plugin.get_min_job_age)


def stop(message: str) -> None:
    """End with a message for people; an exception would come with a traceback of the rules."""
    sys.exit(f"error: {message}")


@cache
def run_named(name: str) -> Run:
    """The run that config/<name>.yaml describes."""
    return load_run(name)


def requested_runs() -> set[str]:
    """Names of the runs whose files the command line asks for."""
    # Snakemake itself knows its targets only when all rules are read, and then plans at once.
    targets = [Path(word).parts for word in sys.argv[1:]]
    prepared = {word.removesuffix("_data") for word in sys.argv[1:] if word in ("voc12_data", "coco14_data")}
    return prepared | {parts[1] for parts in targets if len(parts) > 2 and parts[0] == "results"}


def config_of(stage: str):
    """The stage's section as JSON: the keys that make its rule run again. {training} is the wildcard."""

    def section(wildcards) -> str:
        run, name = run_named(wildcards.run), stage.format(**wildcards)
        try:
            owner = run.owner(name)
        except UserError as error:
            stop(str(error))
        if owner is not run:
            stop(
                f"results/{run.name} has no {name} of its own: nothing differs from run {owner.name} up to "
                f"there, so it lies in {run.directory(name)}"
            )
        if run.given(name):
            stop(f"config/{run.name}.yaml gives {name}, {run.place(name) / name}: it is not made")
        return run.section(name)

    return section


def digest_of(stage: str):
    """Stands for the stage's section and all before it.

    Downstream rules notice a change by it, too: when an upstream job is killed, Snakemake removes its output,
    forgets the change, and takes what was made from the old output for up to date.
    """
    return lambda wildcards: run_named(wildcards.run).digest(stage.format(**wildcards))


def made_by(stage: str, path: str):
    """A file of an earlier stage, where the run lies that makes it or is given it.

    {train} and {val} are the data set's splits; the wildcards may be part of the stage's name, too.
    """

    def place(wildcards) -> str:
        run = run_named(wildcards.run)
        directory, data = run.place(stage.format(**wildcards)), run.config.dataset
        return f"{directory}/{path}".format(train=data.train, val=data.val, **wildcards)

    return place


def model_of(stage: str):
    """The network of an earlier stage: what its training makes, or what the run is given."""
    return lambda wildcards: str(run_named(wildcards.run).model(stage))


def all_shards(stage: str, path: str):
    """All shards of a split that a stage makes; {shard} is a shard's number, the rest as in `made_by`."""

    def places(wildcards) -> list[str]:
        shards = range(run_named(wildcards.run).config.cams.shards)
        return [made_by(stage, path.replace("{shard}", f"{shard:03d}"))(wildcards) for shard in shards]

    return places
