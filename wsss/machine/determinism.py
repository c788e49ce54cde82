"""Algorithms that give the same numbers in every run on a GPU, where torch has such."""

import os


def use_deterministic_algorithms() -> None:
    """Choose them, here and in processes that are started; to be called before anything computes on a GPU.

    Where an operation has none, torch warns, with its name, and the training goes on. They are slower.
    """
    # Read when CUDA's library of matrix products is loaded.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
