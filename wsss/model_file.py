"""A trained network on disk: its tensors and a header that says what it is.

Safetensors holds tensors and text only, so that reading a model never runs code.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import shorten

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from wsss import __version__
from wsss.errors import UserError
from wsss.files import atomic
from wsss.models import Classifier
from wsss.models.backbone import FreezeLevel
from wsss.models.norm import NormMode

HEADER = "wsss"


@dataclass(frozen=True)
class Header:
    """What a model is.

    architecture: name of its class in `wsss.models`. backbone, output_stride: see `Backbone`. classes:
    foreground class names in channel order. digest: of the configuration that it was trained by.
    """

    architecture: str
    backbone: str
    output_stride: int
    classes: tuple[str, ...]
    digest: str
    version: str = __version__


def save_model(path: Path, network: nn.Module, header: Header) -> None:
    """Write a network's parameters and buffers, atomically."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata={HEADER: json.dumps(asdict(header))})


def read_header(path: Path) -> Header:
    """What the model in a file is. Raises UserError naming the file when it is none of ours."""
    try:
        with safe_open(path, framework="pt") as file:
            fields = json.loads((file.metadata() or {})[HEADER])
        return Header(**{**fields, "classes": tuple(fields["classes"])})
    except FileNotFoundError:
        raise UserError(f"{path}: no such model") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a whole safetensors file ({error})") from None
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{path}: no model of this package: its header is missing or of another form"
        ) from None


def load_classifier(
    path: Path, *, norm: NormMode = "normal", freeze: FreezeLevel = "none"
) -> tuple[Classifier, Header]:
    """The CAM network in a file, in evaluation mode. Raises UserError naming what does not fit.

    norm, freeze: of its backbone, for a network that is trained on.
    """
    header = read_header(path)
    if header.architecture != Classifier.__name__:
        raise UserError(f"{path}: holds a {header.architecture}; needed is a {Classifier.__name__}")
    stride = header.output_stride
    try:
        network = Classifier(
            header.backbone, len(header.classes), output_stride=stride, norm=norm, freeze=freeze
        )
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a dict
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        why = shorten(str(error).partition("\n")[2], 300, placeholder=" …")
        raise UserError(f"{path}: its tensors do not fit a {header.backbone}: {why}") from None
    return network.eval(), header
