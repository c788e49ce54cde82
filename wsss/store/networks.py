"""A trained network on disk: its tensors and a header that says what it is.

Safetensors holds tensors and text only, so that reading a model never runs code.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from wsss import __version__
from wsss.errors import UserError
from wsss.models import C2AM, AffinityNet, Classifier, DeepLabV3Plus, LinearSegmenter, PoolNet
from wsss.models.deeplab import HeadNorm
from wsss.store.files import atomic

HEADER = "wsss"

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class Header:
    """Description of a model, stored in its file.

    architecture: name of its class in `wsss.models`. backbone, output_stride: see `Backbone`. classes:
    foreground class names in channel order. digest: of the configuration that it was trained by. flip: the
    activation of a C2AM shows the background, its negative the objects. head_norm: of a DeepLabV3+.
    """

    architecture: str
    backbone: str
    output_stride: int
    classes: tuple[str, ...]
    digest: str
    version: str = __version__
    flip: bool = False
    head_norm: HeadNorm = "group"


def save_model(path: Path, network: nn.Module, header: Header) -> None:
    """Write a network's parameters and buffers, atomically."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata={HEADER: json.dumps(asdict(header))})


def read_header(path: Path) -> Header:
    """The header of a model's file. Raises UserError naming the file when it has none of this package."""
    try:
        with safe_open(path, framework="pt") as file:
            fields = json.loads((file.metadata() or {})[HEADER])
        return Header(**{**fields, "classes": tuple(fields["classes"])})
    except FileNotFoundError:
        raise UserError(f"{path}: no such model; train it, or correct the path") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error}); it must be a file that you may read") from None
    except SafetensorError as error:
        raise UserError(
            f"{path}: not a whole safetensors file ({error}). Delete it, and snakemake makes it again"
        ) from None
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{path}: no model of this package, or of a later version: its header is missing or of another "
            "form. For released networks use wsss import-weights"
        ) from None


def new_network(header: Header) -> nn.Module:
    """The network that a header describes, its weights still to be loaded.

    Raises UserError when the header names an architecture that this package does not have.
    """
    if header.architecture not in _BY_NAME:
        raise UserError(f"no architecture is called {header.architecture!r}; known are {', '.join(_BY_NAME)}")
    return ARCHITECTURES[_BY_NAME[header.architecture]](header)


def load_network(path: Path, architecture: type[Net], **options: Any) -> tuple[Net, Header]:
    """The network in a file, in evaluation mode, and its header.

    architecture: its class in `wsss.models`, or one that several derive from. options: further arguments of
    the class, such as a classifier's `norm` and `freeze` where it is trained on. Raises UserError naming the
    file, and what does not fit, when it holds another architecture or other tensors.
    """
    header = read_header(path)
    held = _BY_NAME.get(header.architecture)
    if held is None or not issubclass(held, architecture):
        raise UserError(f"{path}: holds a {header.architecture}; needed is a {architecture.__name__}")
    try:
        network: Net = ARCHITECTURES[held](header, **options)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a dict
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        why = shorten(str(error).partition("\n")[2], 300, placeholder=" …")
        raise UserError(f"{path}: its tensors do not fit a {header.backbone}: {why}; make it again") from None
    return network.eval(), header


def _built(
    architecture: type[nn.Module], header: Header, *, background: int | None = None, **options: Any
) -> Any:
    """background: of networks with classes, the number of their channels beside those of the classes."""
    classes = [] if background is None else [len(header.classes) + background]
    return architecture(header.backbone, *classes, output_stride=header.output_stride, **options)


def _deeplab(header: Header, **options: Any) -> DeepLabV3Plus:
    network: DeepLabV3Plus = _built(DeepLabV3Plus, header, background=1, norm=header.head_norm, **options)
    return network


#: every architecture, and the function that builds the network that a header describes
ARCHITECTURES: dict[type[nn.Module], Callable[..., Any]] = {
    Classifier: partial(_built, Classifier, background=0),
    C2AM: partial(_built, C2AM),
    PoolNet: partial(_built, PoolNet),
    AffinityNet: partial(_built, AffinityNet),
    DeepLabV3Plus: _deeplab,
    LinearSegmenter: partial(_built, LinearSegmenter, background=1),
}
#: by the names in headers
_BY_NAME = {architecture.__name__: architecture for architecture in ARCHITECTURES}
