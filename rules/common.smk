# What a run asks for: its configuration, and where its stages' files lie.
import subprocess
import sys
from functools import cache
from pathlib import Path

from wsss.errors import UserError
from wsss.runs import RUN_NAME, Run, load_run


wildcard_constraints:
    run=RUN_NAME,
    split=r"[A-Za-z0-9_-]+",
    shard=r"\d\d\d",
    training="oc|priors",


# `python -m workflow.scripts.…` in a rule means this environment and this checkout, wherever Snakemake is
# started. Their paths stand here: in a rule they would be part of its text, and a move would train all again.
ENVIRONMENT, CHECKOUT = str(Path(sys.executable).parent), str(workflow.basedir)
shell.prefix("export PATH={ENVIRONMENT:q}:$PATH PYTHONPATH={CHECKOUT:q}:$PYTHONPATH; set -euo pipefail; ")


@cache
def run_named(name: str) -> Run:
    """The run that config/<name>.yaml describes."""
    return load_run(name)


def requested_runs() -> set[str]:
    """Names of the runs whose files the command line asks for."""
    # Snakemake itself knows its targets only when all rules are read, and then plans at once.
    targets = [Path(word).parts for word in sys.argv[1:]]
    return {parts[1] for parts in targets if len(parts) > 2 and parts[0] == "results"}


def config_of(stage: str):
    """The stage's section as JSON: the keys that make its rule run again. {training} is the wildcard."""

    def section(wildcards) -> str:
        run, name = run_named(wildcards.run), stage.format(**wildcards)
        if run.owner(name) is not run:
            raise UserError(
                f"results/{run.name} has no {name} of its own: nothing differs from run "
                f"{run.owner(name).name} up to there, so it lies in {run.directory(name)}"
            )
        return run.section(name)

    return section


def digest_of(stage: str):
    """Stands for the stage's section and all before it.

    Downstream rules notice a change by it, too: when an upstream job is killed, Snakemake removes its output,
    forgets the change, and takes what was made from the old output for up to date.
    """
    return lambda wildcards: run_named(wildcards.run).digest(stage.format(**wildcards))


def made_by(stage: str, path: str):
    """A file of an earlier stage, where the run lies that makes it; {train} is the training split."""

    def place(wildcards) -> str:
        run = run_named(wildcards.run)
        return f"{run.directory(stage)}/{path}".format(train=run.config.dataset.train, **wildcards)

    return place


def cams_of_training(wildcards) -> list[str]:
    """All shards of the training split's CAMs."""
    shards = range(run_named(wildcards.run).config.cams.shards)
    return [made_by("cams", f"cams/{{train}}/{shard:03d}.safetensors")(wildcards) for shard in shards]


def data_of_run(wildcards) -> list[str]:
    """What an index is made from: the drawn data set, or the lists of splits that a data set comes with."""
    dataset = run_named(wildcards.run).config.dataset
    if dataset.kind == "shapes":
        return [f"results/{wildcards.run}/data"]
    lists = Path(dataset.root, "ImageSets", "Segmentation")
    found = {lists / f"{wildcards.split}.txt", lists / f"{dataset.val}.txt"}
    return sorted(str(path) for path in found if path.is_file())


def oc_of_priors(wildcards) -> list[str]:
    """The ordinary classifier, for the methods that erase."""
    run = run_named(wildcards.run)
    return [made_by("oc", "models/oc.safetensors")(wildcards)] if run.config.priors.uses_oc else []


def gpus_of(wildcards) -> int:
    """GPUs of a training."""
    machine = run_named(wildcards.run).config.machine
    return 0 if machine.device == "cpu" else machine.gpus


def gpu_of(wildcards) -> int:
    """The GPU of a shard's inference."""
    return min(1, gpus_of(wildcards))


def threads_of(wildcards) -> int:
    """CPU threads of a training or an evaluation."""
    return run_named(wildcards.run).config.machine.threads


def growing(mb: int):
    """Memory that grows with every attempt, where a profile has retries."""
    return lambda wildcards, attempt: mb * attempt


def trainings_to_come() -> list[str]:
    """The trainings among the planned jobs, as run/stage."""
    jobs = [job for job in workflow.dag.needrun_jobs() if job.rule.name.startswith("train_")]
    return sorted(f"{job.wildcards.run}/{job.rule.name.removeprefix('train_')}" for job in jobs)


def stop(message: str) -> None:
    """End with a message for people; an exception would come with a traceback of the rules."""
    sys.exit(f"error: {message}")


# A mistake in a configuration has to stop before anything is planned.
if workflow.is_main_process:
    try:
        for name in sorted(requested_runs()):
            run_named(name)
    except UserError as error:
        stop(str(error))


onstart:
    # Weights that cannot be had must not be found out after hours of another training. They are no rule's
    # input: where an old output stands, Snakemake does not mind that an input is missing.
    trainings = trainings_to_come()
    check = Path(CHECKOUT, "workflow", "scripts", "check_weights.py")
    if trainings and subprocess.run([sys.executable, check, *trainings]).returncode:
        stop("nothing was started")
