# Resources of the jobs: devices, threads, memory and time.
from functools import cache
from pathlib import Path

from wsss.store.files import read_json

# MB of a process beside its images: Python, torch, a network.
ANYWAY = 1000


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


# Resources of a training beside memory and time. On several nodes it is, for Slurm and its plugin, an MPI program
# that calls `srun` itself, with one task per node; by default they would request tasks per GPU, too.
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
