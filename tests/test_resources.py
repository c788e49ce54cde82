"""What jobs request: memory by the largest image of their index, and the GPUs that can share a batch."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.workflow import TINY, write_run

from wsss.data.index import Record
from wsss.data.indexing import build_index
from wsss.runs.run import load_run
from wsss.runs.stages import STAGES
from wsss.store.files import write_json, write_png


@pytest.fixture
def resources(repository: Path) -> dict[str, Any]:
    """What rules/resources.smk defines, which is plain Python."""
    names: dict[str, Any] = {"STAGES": STAGES}
    exec((repository / "rules" / "resources.smk").read_text(encoding="utf-8"), names)
    return names


@pytest.fixture
def growing(resources: dict[str, Any]) -> Any:
    """Its function for memory and time."""
    return resources["growing"]


def test_memory_is_bounded_by_the_index(growing: Any, tmp_path: Path) -> None:
    index = SimpleNamespace(index=str(tmp_path / "train.csv"))
    asked = growing(1500, 700)
    assert asked(None, index, 1) == 1500 and asked(None, index, 2) == 3000, "before there is an index"
    records = []
    for name, size in (("a", (100, 2000)), ("b", (500, 3000)), ("c", (700, 700))):
        write_png(tmp_path / f"{name}.png", np.zeros(size, np.uint8))
        records.append(Record(name, tmp_path / f"{name}.png", None, ("cat",)))
    build_index(records, ("cat",), "train").write(tmp_path / "train.csv")
    assert asked(None, index, 1) == 1000 + 700 * 1.5 and asked(None, index, 2) == 2 * (1000 + 700 * 1.5)
    assert growing(5000, 700)(None, index, 1) == 5000, "never less than the amount"
    assert growing(240)(None, SimpleNamespace(), 3) == 720, "time knows no index"
    write_json(tmp_path / "train.json", {"images": 3})
    assert asked(None, index, 1) == 1500, "an index of an earlier version does not say its largest image"


@pytest.mark.parametrize(
    ("machine", "batch", "gpus", "nodes"),
    [
        ({"gpus": 2}, 8, 2, 1),
        ({"gpus": 2, "nodes": 2}, 8, 4, 2),
        ({"gpus": 4, "nodes": 2}, 6, 6, 2),
        ({"gpus": 2, "nodes": 4}, 9, 3, 3),
        ({"gpus": 4, "processes": 2, "nodes": 2, "device": "cpu"}, 8, 0, 2),
    ],
)
def test_a_training_requests_what_can_share_its_batch(
    resources: dict[str, Any], tmp_path: Path, machine: dict[str, Any], batch: int, gpus: int, nodes: int
) -> None:
    """And no node or GPU that would stand idle, as PoolNet's batch is 1."""
    oc = {**TINY["oc"], "optimisation": {"epochs": 1, "batch": batch}}
    write_run(tmp_path, "tiny", {**TINY, "oc": oc, "machine": machine})
    resources["run_named"] = lambda name: load_run(name, tmp_path / "config")
    wildcards = SimpleNamespace(run="tiny")

    def requested(stage: str) -> list[Any]:
        asked = resources["of_training"](stage)
        return [asked[name](wildcards) for name in ("gpu", "nodes", "mpi", "tasks", "tasks_per_gpu")]

    one = min(1, gpus)
    assert requested("oc") == [gpus, nodes, *(("srun", nodes, 0) if nodes > 1 else [None] * 3)]
    assert requested("poolnet") == [one, 1, None, None, None]
    assert resources["gpu_of"](wildcards) == one, "a shard's inference"
