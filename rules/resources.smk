# Resources of the jobs: devices, threads, memory and time.


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


def growing(amount: int):
    """Memory or time that grows with every attempt, where a profile has retries.

    The time of a training does not: it goes on from its checkpoint.
    """
    return lambda wildcards, attempt: amount * attempt
