# What a run asks for: its configuration, and where its stages' files lie.
import subprocess
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

from wsss.config import WEIGHTS_BY_NAME
from wsss.errors import UserError
from wsss.runs import RUN_NAME, Run, load_run

SCRIPTS = Path(workflow.basedir, "workflow", "scripts")


wildcard_constraints:
    run=RUN_NAME,
    split=r"[A-Za-z0-9_-]+",
    shard=r"\d\d\d",


@cache
def run_named(name: str) -> Run:
    """The run that config/<name>.yaml describes."""
    try:
        return load_run(name)
    except UserError as error:
        raise WorkflowError(str(error)) from None


def requested_runs() -> list[str]:
    """Names of the runs whose files the command line asks for; `shapes` where it asks for none."""
    # Snakemake itself knows its targets only when all rules are read, and then plans at once.
    targets = [Path(word).parts for word in sys.argv[1:]]
    return sorted({parts[1] for parts in targets if len(parts) > 2 and parts[0] == "results"}) or ["shapes"]


def config_of(stage: str):
    """The stage's section as JSON: the one param of its rule, so that nothing else makes it run again."""

    def section(wildcards) -> str:
        run = run_named(wildcards.run)
        if run.owner(stage) is not run:
            raise WorkflowError(
                f"results/{run.name} has no {stage} of its own: nothing differs from run "
                f"{run.owner(stage).name} up to there, so it is in {run.directory(stage)}"
            )
        return run.section(stage)

    return section


def made_by(stage: str, path: str):
    """A file of an earlier stage, in the directory of the run that makes it; {train} is the training split."""

    def place(wildcards) -> str:
        run = run_named(wildcards.run)
        return f"{run.directory(stage)}/{path}".format(train=run.config.dataset.train, **wildcards)

    return place


def cams_of_training(wildcards) -> list[str]:
    """All shards of the training split's CAMs."""
    cams = run_named(wildcards.run).config.cams
    return [
        made_by("cams", f"cams/{{train}}/{shard:03d}.safetensors")(wildcards) for shard in range(cams.shards)
    ]


def data_of_run(wildcards) -> list[str]:
    """What an index is made from: the drawn data set, or the lists of splits that a data set comes with."""
    dataset = run_named(wildcards.run).config.dataset
    if dataset.kind == "shapes":
        return [f"results/{wildcards.run}/data"]
    lists = Path(dataset.root, "ImageSets", "Segmentation")
    found = {lists / f"{wildcards.split}.txt", lists / f"{dataset.val}.txt"}
    return sorted(str(path) for path in found if path.is_file())


def weights_file(stage: str):
    """The file of pretrained weights that a training starts from, if the configuration names one."""

    def place(wildcards) -> list[str]:
        weights = getattr(run_named(wildcards.run).config, stage).network.weights
        return [] if weights in WEIGHTS_BY_NAME else [weights]

    return place


def oc_of_priors(wildcards) -> list[str]:
    """The ordinary classifier, for the methods that erase."""
    run = run_named(wildcards.run)
    return [made_by("oc", "models/oc.safetensors")(wildcards)] if run.config.priors.uses_oc else []


def gpus_of(wildcards) -> int:
    """GPUs of a training."""
    return run_named(wildcards.run).config.machine.gpus


def threads_of(wildcards) -> int:
    """CPU threads of a training or an inference."""
    return run_named(wildcards.run).config.machine.threads


# A mistake in a configuration has to stop before anything is planned.
for name in requested_runs():
    run_named(name)


onstart:
    # Weights that cannot be had must not be found out after hours of training.
    if subprocess.run([sys.executable, SCRIPTS / "check_weights.py", *requested_runs()]).returncode:
        raise WorkflowError("Nothing was started.")
