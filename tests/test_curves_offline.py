"""TensorBoard and W&B, offline: what a training logs there is what its CSV holds, pictures included."""

import csv
import struct
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from support.tiny_run import make_run, step_of

from workflow.scripts.train_oc import train_oc


def trained(monkeypatch: pytest.MonkeyPatch, root: Path, **machine: Any) -> tuple[Path, list[dict[str, str]]]:
    """The directory of the curves of a training of two epochs, and the rows of its CSV."""
    monkeypatch.chdir(root)
    step = step_of(make_run(Path(), machine={"pictures": True, **machine}), "oc", "new")
    train_oc(step)
    with open("new.csv", encoding="utf-8", newline="") as file:
        return step.curves, list(csv.DictReader(file))


def test_tensorboard_has_the_rows_of_the_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("tensorboard") is None:
        pytest.skip("tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curves, rows = trained(monkeypatch, tmp_path, tensorboard=True)
    found = EventAccumulator(str(curves)).Reload()
    assert {"epoch", "loss/classification", "lr/generator"} <= set(found.Tags()["scalars"])
    assert found.Tags()["images"] == ["pictures"] and len(found.Images("pictures")) == 2
    for tag in found.Tags()["scalars"]:
        logged = {event.step: event.value for event in found.Scalars(tag)}
        assert logged == {
            int(row["step"]): pytest.approx(float(row[tag]), rel=1e-4) for row in rows if row.get(tag)
        }


def records_in(content: bytes) -> Iterator[bytes]:
    """The records of a .wandb file: LevelDB's log, blocks of 32 KiB, behind a header of 7 bytes."""
    place, parts = 7, b""
    while place + 7 <= len(content):
        if (left := -place % 32768) < 7 and left:  # too little for a header
            place += left
            continue
        length, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last of several
            yield parts
            parts = b""


def test_wandb_keeps_a_run_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("wandb") is None:
        pytest.skip("wandb is not installed")
    from wandb.proto.wandb_internal_pb2 import Record

    monkeypatch.setenv("WANDB_SILENT", "true")
    curves, rows = trained(monkeypatch, tmp_path, wandb="offline", wandb_project="trees")
    (file,) = curves.rglob("*.wandb")
    steps, projects = [], set()
    for data in records_in(file.read_bytes()):
        record = Record()
        record.ParseFromString(data)
        if record.HasField("run"):
            projects.add(record.run.project)
        if record.HasField("history"):
            items = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
            steps.append(items)
    assert projects == {"trees"}
    losses = [float(items["loss/classification"]) for items in steps if "loss/classification" in items]
    assert losses == pytest.approx([float(row["loss/classification"]) for row in rows], rel=1e-4)
    assert len(list(curves.rglob("media/images/*.png"))) == 2
