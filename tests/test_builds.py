"""Which GPUs a build of torch can use, and what to install where it cannot."""

from types import SimpleNamespace

import pytest
import torch

from wsss.commands import diagnosis
from wsss.errors import UserError
from wsss.machine import builds, devices


@pytest.mark.parametrize(
    ("capability", "architectures", "runs"),
    [
        ((9, 0), ["sm_80", "sm_90"], True),
        ((8, 9), ["sm_80", "sm_90"], True),
        ((8, 0), ["sm_86"], False),
        ((7, 0), list(builds.LOCKED), False),
        ((12, 1), ["sm_90", "compute_90"], True),
        ((10, 0), ["sm_90"], False),
    ],
)
def test_kernels_run_on_later_gpus_of_a_generation(
    capability: tuple[int, int], architectures: list[str], runs: bool
) -> None:
    assert builds.has_kernels(capability, architectures) == runs
    assert bool(builds.missing_kernels("GPU", capability, architectures)) != runs


def test_the_locked_torch_supports_turing_and_later() -> None:
    supported = ", ".join(builds.supported_generations())
    assert "V100" not in supported and all(name in supported for name in ("T4", "A100", "H100", "RTX 40"))


@pytest.fixture
def volta(monkeypatch: pytest.MonkeyPatch) -> None:
    """A V100 beside a build without kernels for it."""
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    for name, answer in {
        "is_available": True,
        "device_count": 1,
        "get_arch_list": list(builds.LOCKED),
        "get_device_name": "Tesla V100",
        "get_device_capability": (7, 0),
        "get_device_properties": SimpleNamespace(total_memory=32 * 2**30),
    }.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)


def test_a_gpu_without_kernels_is_refused_and_told(volta: None) -> None:
    assert devices.unusable() == (
        "Tesla V100 has compute capability 7.0, torch was built for "
        "sm_75, sm_80, sm_86, sm_90, sm_100, sm_120; "
        "make install TORCH=cu126"
    )
    summary, gpu = diagnosis.gpu_findings(1, 1)
    assert "for CUDA 12.8" in summary.detail and summary.state == "ok"
    assert gpu.state == "missing" and gpu.remedy == "make install TORCH=cu126"


def test_a_gpu_with_kernels_is_shown(volta: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (9, 0))
    assert devices.unusable() == ""
    assert "compute capability 9.0, 32 GiB" in list(diagnosis.gpu_findings(1, 1))[1].detail


def test_a_training_on_several_mig_slices_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.VISIBLE, "MIG-1,MIG-2")
    with pytest.raises(UserError, match=r"lists 2 MIG slices .*set machine\.gpus to 1"):
        devices.claim(2, "cuda")
    monkeypatch.setattr(devices, "unusable", lambda: "")
    assert devices.claim(1, "cuda") == 1
