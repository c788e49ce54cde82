"""Which GPUs a build of torch has kernels for."""

import re
from collections.abc import Sequence

#: of the default build of the torch that requirements.lock pins: Turing and later, no V100
LOCKED = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")
#: generations of GPUs by the first capability that they have
GENERATIONS = {
    (7, 0): "Volta (V100)",
    (7, 5): "Turing (T4, RTX 20)",
    (8, 0): "Ampere (A100, RTX 30)",
    (8, 9): "Ada (L4, RTX 40)",
    (9, 0): "Hopper (H100, H200)",
    (10, 0): "Blackwell (B200)",
    (12, 0): "Blackwell (RTX 50)",
}


def has_kernels(capability: tuple[int, int], architectures: Sequence[str]) -> bool:
    """Whether a GPU runs kernels of a build. architectures: as `torch.cuda.get_arch_list` gives them.

    Binary code (sm) runs on later GPUs of its generation, portable code (compute) on all later ones.
    """
    for kind, digits in re.findall(r"(sm|compute)_(\d+)", " ".join(architectures)):
        major, minor = int(digits[:-1]), int(digits[-1])
        if (kind == "compute" and (major, minor) <= capability) or (
            major == capability[0] and minor <= capability[1]
        ):
            return True
    return False


def missing_kernels(name: str, capability: tuple[int, int], architectures: Sequence[str]) -> str:
    """Why a build cannot use a GPU, and what to install; empty if it can. name: of the GPU."""
    if not architectures or has_kernels(capability, architectures):
        return ""
    older = capability < (7, 5)
    remedy = "make install TORCH=cu126" if older else "a newer torch: make install TORCH=cuda"
    has = f"{name} has compute capability {capability[0]}.{capability[1]}"
    return f"{has}, torch was built for {', '.join(architectures)}; {remedy}"


def supported_generations(architectures: Sequence[str] = LOCKED) -> list[str]:
    """The generations of GPUs that a build has kernels for; by default, the locked torch's."""
    return [name for capability, name in GENERATIONS.items() if has_kernels(capability, architectures)]
