"""The script for the first hour on a GPU runs, on a CPU and in small."""

import json
from pathlib import Path
from types import ModuleType

import pytest
from support.loose_module import module_of


@pytest.fixture(scope="module")
def gpu_hour(repository: Path) -> ModuleType:
    """benchmarks/gpu_hour.py, which is in no package."""
    return module_of(repository / "benchmarks" / "gpu_hour.py")


def test_all_is_looked_at_and_reported(gpu_hour: ModuleType, tmp_path: Path) -> None:
    assert gpu_hour.main(["--dry", "--out", str(tmp_path / "report")]) == 0
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert list(found) == list(gpu_hour.CHECKS) and "nothing was measured" in text
    assert found["unlabeled_stack"]["result"]["maps"] == [[0, 3, 4]] * 2
    assert found["walk"]["result"]["difference"] == 0, "the CPU differs from itself"
    assert found["repeated"]["result"]["difference"] == 0, "on a CPU a training is repeated to the bit"
    assert all(row["seconds"] > 0 for row in found["steps"]["result"].values())


def test_a_check_that_fails_is_reported_and_the_next_one_follows(
    gpu_hour: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(hour: object) -> dict:
        """Breaks."""
        raise RuntimeError("no NCCL")

    monkeypatch.setattr(gpu_hour, "CHECKS", {"exchange": broken, "machine": gpu_hour.machine})
    hour = gpu_hour.Hour(gpu_hour.torch.device("cpu"), "resnet10t", 64, True)
    found = gpu_hour.report(hour)
    assert found["exchange"]["error"] == "RuntimeError: no NCCL" and "result" in found["machine"]
    assert "no NCCL" in gpu_hour.as_markdown(found, True)
