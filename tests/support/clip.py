"""CLIP's image tower with the parameters of the golden values."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import wsss.models  # noqa: F401  before timm: it repairs torchvision

# isort: split
import timm
import torch
from torch import Tensor

#: CLIP's names -> timm's
NAMES = {
    "visual.": "",
    "transformer.resblocks": "blocks",
    "conv1": "patch_embed.proj",
    "class_embedding": "cls_token",
    "positional_embedding": "pos_embed",
    "ln_pre": "norm_pre",
    "ln_post": "norm",
    "ln_": "norm",
    "in_proj_": "qkv.",
    "out_proj": "proj",
    "c_fc": "fc1",
    "c_proj": "fc2",
}


def filled_tower(shapes: Mapping[str, Sequence[int]], filled: Callable[..., Tensor]) -> Any:
    """The tower, in evaluation mode. shapes: of CLIP's own parameters, by name; filled: see fill.py."""
    tower = timm.create_model("vit_base_patch16_clip_quickgelu_224", num_classes=512)
    tensors = {"head.bias": torch.zeros(512)}
    for name, shape in shapes.items():
        tensor = filled(name, shape)
        if name.endswith("in_proj_weight"):
            tensor[:1536] *= 3
        if name == "visual.proj":
            tensors["head.weight"] = tensor.T
            continue
        for theirs, ours in NAMES.items():
            name = name.replace(theirs, ours)
        tensors[name] = tensor.view(1, -1, 768) if name in ("cls_token", "pos_embed") else tensor
    tower.load_state_dict(tensors, strict=True)
    return tower.eval()
