# What a run asks for: its configuration, and where its stages' files lie.
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import snakemake_executor_plugin_slurm as slurm_plugin

from wsss.errors import UserError
from wsss.files import is_there
from wsss.finished import forget
from wsss.given_entry import has_maps, require_given
from wsss.patience import patient, steady
from wsss.runs import RUN_NAME, Run, load_run, metrics_files, stages
from wsss.stages import final_saliency, scored_saliency, selects_epoch


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


cams_of_training = all_shards("cams", "cams/{train}/{shard}.safetensors")
saliency_crf_of_training = all_shards("saliency_crf", "saliency_crf/{train}/{shard}")


def hints_of_c2am(wildcards) -> list[str]:
    """The CAMs that C2AM-H learns from, beside the images."""
    return cams_of_training(wildcards) if run_named(wildcards.run).config.saliency.uses_hints else []


def saliency_to_score(stage: str, suffix: str = ""):
    """All shards of a kind of saliency of the training split, in a run that scores it."""

    def places(wildcards) -> list[str]:
        if stage not in scored_saliency(run_named(wildcards.run).config):
            return []
        return all_shards(stage, f"{stage}/{{train}}/{{shard}}{suffix}")(wildcards)

    return places


walks_of_training = all_shards("walks", "walks/{train}/{shard}.safetensors")


def saliency_of_shard(wildcards) -> list[str]:
    """The saliency that a shard's affinity labels are made with, in a run that has it."""
    stage = final_saliency(run_named(wildcards.run).config)
    return [made_by(stage, f"{stage}/{{split}}/{{shard}}")(wildcards)] if stage else []


def pseudo_labels_of(split: str):
    """All shards of a split's pseudo labels; none in a run that learns from the data set's masks."""

    def places(wildcards) -> list[str]:
        if run_named(wildcards.run).config.segmentation.labels != "pseudo":
            return []
        return all_shards("pseudo_labels", f"pseudo_labels/{split}/{{shard}}")(wildcards)

    return places


labels_to_learn_from = pseudo_labels_of("{train}")


def index_that_chooses(wildcards) -> list[str]:
    """The images by which the segmentation network's epoch is chosen, where one is."""
    chooses = selects_epoch(run_named(wildcards.run).config)
    return [made_by("index", "index/{val}.csv")(wildcards)] if chooses else []


def labels_that_choose(wildcards) -> list[str]:
    """What they are scored by, as `labels_to_learn_from`."""
    return pseudo_labels_of("{val}")(wildcards) if index_that_chooses(wildcards) else []


def scores_of_chain(wildcards) -> list[str]:
    """The metrics of all that a run scores."""
    return [str(path) for path in metrics_files(run_named(wildcards.run)).values()]


def shown_of(stage: str, suffix: str = ""):
    """What a stage makes of the images that the report shows, which are those of the validation split.

    A run without the stage has none of it; nor is there any where these images have no labels, or where maps
    are given without theirs.
    """

    def places(wildcards) -> list[str]:
        run = run_named(wildcards.run)
        name, data = final_saliency(run.config) if stage == "saliency" else stage, run.config.dataset
        if name not in stages(run) or not data.val_labels or not has_maps(run, name, data.val):
            return []
        return all_shards(name, f"{name}/{{val}}/{{shard}}{suffix}")(wildcards)

    return places


def courses_of_run(wildcards) -> list[str]:
    """The course of every training that a run has; a network that it is given has none."""
    trainings = ("oc", "priors", "c2am", "poolnet", "affinity", "segmentation")
    run = run_named(wildcards.run)
    made = [stage for stage in stages(run) if stage in trainings and not run.given(stage)]
    return [made_by(stage, f"metrics/{stage}_training.csv")(wildcards) for stage in made]


def fetched_by(wildcards) -> list[str]:
    """What says that a data set was fetched, if it was or has to be: nothing lies at its root."""
    data, place = run_named(wildcards.run).config.dataset, f"results/{wildcards.run}/fetched.json"
    return [place] if data.archives and (Path(place).is_file() or not is_there(data.root)) else []


def sources_of(wildcards) -> list[str]:
    """The files of a split that a data set comes with, or what says that they were fetched."""
    found = run_named(wildcards.run).config.dataset.sources(wildcards.split)
    return fetched_by(wildcards) or [str(path) for path in found if path.is_file()]


def data_of_run(wildcards) -> list[str]:
    """What an index is made from: the drawn data set, or what a data set comes with."""
    dataset = run_named(wildcards.run).config.dataset
    if dataset.kind == "shapes":
        return [f"results/{wildcards.run}/data"]
    paints = dataset.kind == "coco" and dataset.masks is None
    painted = [f"results/{wildcards.run}/painted/{wildcards.split}"] if paints else []
    return [*sources_of(wildcards), *painted]


def indexes_of(name: str):
    """The indexes of a run's splits, wherever they lie."""

    def places(wildcards) -> list[str]:
        run = run_named(name)
        splits = (run.config.dataset.train, run.config.dataset.val)
        return [f"{run.directory('index')}/index/{split}.csv" for split in splits]

    return places


def oc_of_priors(wildcards) -> list[str]:
    """The ordinary classifier, for the methods that erase."""
    run = run_named(wildcards.run)
    return [model_of("oc")(wildcards)] if "oc" in stages(run) else []


def gpus_of(wildcards) -> int:
    """GPUs of a training, on all its nodes."""
    machine = run_named(wildcards.run).config.machine
    return 0 if machine.device == "cpu" else machine.gpus * machine.nodes


def nodes_of(wildcards) -> int:
    """Nodes of a training."""
    return run_named(wildcards.run).config.machine.nodes


def on_several_nodes(value):
    """A resource that only a training on several nodes asks for; `value` may take how many."""

    def resource(wildcards):
        nodes = nodes_of(wildcards)
        return (value(nodes) if callable(value) else value) if nodes > 1 else None

    return resource


# What a training takes beside memory and time. On several nodes it is, to Slurm and its plugin, a program that starts
# its own `srun`, with a task on each node; they would by themselves ask for tasks per GPU, too.
of_training = {
    "gpu": gpus_of,
    "nodes": nodes_of,
    "mpi": on_several_nodes("srun"),
    "tasks": on_several_nodes(lambda nodes: nodes),
    "tasks_per_gpu": on_several_nodes(0),
}


def gpu_of(wildcards) -> int:
    """The GPU of a shard's inference."""
    return min(1, gpus_of(wildcards))


def threads_of(wildcards) -> int:
    """CPU threads of a training or an evaluation."""
    return run_named(wildcards.run).config.machine.threads


def growing(amount: int):
    """Memory or time that grows with every attempt, where a profile has retries.

    The time of a training does not: it goes on from its checkpoint.
    """
    return lambda wildcards, attempt: amount * attempt


def trainings_to_come() -> list[str]:
    """The trainings among the planned jobs, as run/stage."""
    jobs = [job for job in workflow.dag.needrun_jobs() if job.rule.name.startswith("train_")]
    return sorted(f"{job.wildcards.run}/{job.rule.name.removeprefix('train_')}" for job in jobs)


def forget_finished(but: list[str]) -> None:
    """Remove what trainings hold until this workflow knows that they are over; `but` are not, as run/stage."""
    for job in workflow.dag.jobs:
        run, stage = job.wildcards.get("run"), job.rule.name.removeprefix("train_")
        if job.rule.name.startswith("train_") and f"{run}/{stage}" not in but:
            forget(Path("results", run), stage)


def stop(message: str) -> None:
    """End with a message for people; an exception would come with a traceback of the rules."""
    sys.exit(f"error: {message}")


# A mistake in a configuration has to stop before anything is planned.
if workflow.is_main_process:
    try:
        for name in sorted(requested_runs()):
            require_given(run_named(name))
    except UserError as error:
        stop(str(error))


onstart:
    # Weights that cannot be had must not be found out after hours of another training. They are no rule's
    # input: where an old output stands, Snakemake does not mind that an input is missing.
    trainings = trainings_to_come()
    forget_finished(but=trainings)
    check = [sys.executable, "-m", "workflow.scripts.check_weights", *trainings]
    path = os.pathsep.join([CHECKOUT, os.environ.get("PYTHONPATH", "")])
    if trainings and subprocess.run(check, env={**os.environ, "PYTHONPATH": path}).returncode:
        stop("nothing was started")


onsuccess:
    forget_finished(but=[])


onerror:
    forget_finished(but=[])
