"""The arithmetic of networks: single precision, or mixed precision in one of two half formats."""

import torch

#: by their names in the configuration
PRECISION = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Mixed precision while the block runs; with `float32` it changes nothing."""
    return torch.autocast(device.type, PRECISION[precision], enabled=precision != "float32")
