# Resources of the jobs: devices, threads, memory and time.
from functools import cache
from pathlib import Path

from wsss.store.files import read_json

# MB of a process beside its images: Python, torch, a network.
ANYWAY = 1000


def on_several(nodes, value):
    """A resource that only a training on several nodes asks for; nodes: how many. `value` may take how many."""

    def resource(wildcards):
        count = nodes(wildcards)
        return (value(count) if callable(value) else value) if count > 1 else None

    return resource


def of_training(stage: str) -> dict:
    """Resources of a training beside memory and time: the nodes, and GPUs on all of them, that share its batch.

    On several nodes it is, for Slurm and its plugin, an MPI program that calls `srun` itself, with one task per
    node; by default they would request tasks per GPU, too.
    """

    def nodes(wildcards) -> int:
        return STAGES[stage].nodes(run_named(wildcards.run).config)

    return {
        "gpu": lambda wildcards: STAGES[stage].gpus(run_named(wildcards.run).config),
        "nodes": nodes,
        "mpi": on_several(nodes, "srun"),
        "tasks": on_several(nodes, lambda count: count),
        "tasks_per_gpu": on_several(nodes, 0),
    }


def gpu_of(wildcards) -> int:
    """The GPU of a shard's inference."""
    return 0 if run_named(wildcards.run).config.machine.device == "cpu" else 1


def threads_of(wildcards) -> int:
    """CPU threads of a training or an evaluation.

    Other jobs have one: several shards at once use cores better than several threads per shard.
    """
    return run_named(wildcards.run).config.machine.threads


def growing(amount: int, per_megapixel: int = 0):
    """Memory or time that grows with every attempt, where a profile has retries.

    The time of a training does not: it goes on from its checkpoint. per_megapixel: MB that the job takes for each
    million pixels of the largest image of its index, beside what it takes anyway; `amount` is then the least. It
    counts once the index is made; Snakemake asks again before a job starts.
    """

    def resource(wildcards, input, attempt):
        if not per_megapixel:
            return attempt * amount
        largest = megapixels(str(input.index))
        return attempt * max(amount, round(ANYWAY + per_megapixel * largest))

    return resource


def memory(amount: int, per_megapixel: int = 0):
    """Memory of a job in MB, see `growing`. 0, which requests none, with `config: request_memory=false`."""
    requested = str(config.get("request_memory", True)).lower() != "false"
    return growing(amount, per_megapixel) if requested else 0


@cache
def megapixels_of(about: Path, changed: float) -> float:
    """Millions of pixels of the largest image, as an index says in its JSON file."""
    side = read_json(about).get("largest_image", {"height": 0, "width": 0})
    return side["height"] * side["width"] / 1e6


def megapixels(index: str) -> float:
    """Millions of pixels of the largest image of an index; 0 while it is not made."""
    about = Path(index).with_suffix(".json")
    return megapixels_of(about, about.stat().st_mtime) if about.is_file() else 0
