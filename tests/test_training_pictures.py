"""Pictures of a training: the same few images after every epoch; they change no weights."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from support.tiny_run import make_run, step_of

from workflow.scripts.train_oc import train_oc
from wsss.config import MachineConfig
from wsss.training.logbook import Logbook

CURVES = Path("results", "tiny", "curves")


def train(root: Path, monkeypatch: pytest.MonkeyPatch, **machine: object) -> dict[str, torch.Tensor]:
    """Train the OC of the run `tiny` for two epochs there; returns its weights."""
    root.mkdir()
    monkeypatch.chdir(root)
    train_oc(step_of(make_run(Path(), machine=machine), "oc", "new"))
    return load_file("new.safetensors")


def test_a_sheet_per_epoch_and_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    torch.set_num_threads(1)
    without = train(tmp_path / "without", monkeypatch)
    drawn = train(tmp_path / "drawn", monkeypatch, pictures=True, tensorboard=True)
    assert all(torch.equal(without[name], drawn[name]) for name in without)
    assert not (tmp_path / "without" / CURVES).exists()
    (curves,) = (tmp_path / "drawn" / CURVES).iterdir()
    sheets = sorted((curves / "pictures").iterdir())
    assert [sheet.name for sheet in sheets] == ["epoch-001.png", "epoch-002.png"]
    first, second = (Image.open(sheet).convert("RGB") for sheet in sheets)
    assert first.size == second.size and first.tobytes() != second.tobytes()
    events = reader.EventAccumulator(str(curves))
    events.Reload()
    assert [event.step for event in events.Images("pictures")] == [2, 4]


def test_a_picture_goes_to_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    curves, sheet = tmp_path / "curves", tmp_path / "epoch-001.png"
    Image.new("RGB", (8, 8)).save(sheet)
    machine, config = MachineConfig(wandb="offline"), {"digest": "d" * 12}
    book = Logbook(tmp_path / "a.csv", after=0, curves=curves, machine=machine, name="tiny/oc", config=config)
    book.row(1, {"epoch": 1.0})
    book.picture(1, sheet)
    book.close()
    assert list(curves.rglob("media/images/pictures_1_*.png"))
