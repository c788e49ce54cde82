"""The arithmetic of networks: single precision, or mixed precision in one of two half formats."""

import torch

#: by their names in the configuration
PRECISION = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
#: what the device decides
AUTO = "auto"


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Mixed precision while the block runs; with `float32` it changes nothing. precision: not `auto`."""
    return torch.autocast(device.type, PRECISION[precision], enabled=precision != "float32")


def precision_on(device: torch.device, precision: str) -> str:
    """What `auto` means on a device: `bf16` on a GPU that has it, `fp16` on an older one, else `float32`.

    Any other precision is returned as it is.
    """
    if precision != AUTO:
        return precision
    if device.type != "cuda":
        return "float32"
    # torch also counts bf16 that is emulated, which is slower than single precision.
    return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
