"""A run's segmentation network as one file that runs without this package: torch.export's, or ONNX.

What is exported takes photographs as they are decoded and normalizes them itself, so that nobody has to know
how this backbone wants its images. Test-time augmentation and the CRF are not part of it.
"""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from wsss.errors import UserError
from wsss.models import Segmenter
from wsss.models.padding import padded_in_whole_numbers
from wsss.store.files import atomic

#: format -> suffix of its files
SUFFIXES = {"torch": ".pt2", "onnx": ".onnx"}
#: least side of an image, px: below, the last maps of the backbone are single pixels, and code depends on it
LEAST_SIDE = 33
INPUT, OUTPUT = "images", "logits"


class Deployed(nn.Module):
    """A segmentation network with its normalization: uint8 (B, 3, H, W), RGB -> logits (B, C, H, W)."""

    def __init__(self, network: Segmenter) -> None:
        super().__init__()
        self.network = network
        look = network.normalization
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(look.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(look.std).view(3, 1, 1))
        self.reverse = look.order == "bgr"

    def forward(self, images: Tensor) -> Tensor:
        """Class 0 is the background."""
        x = (images.float() / 255 - self.mean) / self.std
        return self.network(x.flip(1) if self.reverse else x)


def export(network: Segmenter, kind: str, path: Path, *, about: dict[str, str]) -> None:
    """Write a network for images of any number and of any sides from `LEAST_SIDE` px on, atomically.

    kind: of `SUFFIXES`. about: what the file says of itself: ONNX's metadata, torch.export's extra files.
    Raises UserError for a file name that the format does not have, when ONNX's packages are not installed,
    and for a backbone that torch cannot save.
    """
    if path.suffix != SUFFIXES[kind]:
        raise UserError(f"{path}: a file of format {kind} must be called *{SUFFIXES[kind]}")
    if kind == "onnx":
        _check_onnx()
    program = exported(network)
    with atomic(path) as temporary:
        if kind == "torch":
            _save_torch(program, temporary, about, network.backbone.name)
        else:
            _save_onnx(program, temporary, about)


def exported(network: Segmenter) -> ExportedProgram:
    """The network and its normalization as a graph, for any batch and size."""
    example = torch.zeros(2, 3, 96, 128, dtype=torch.uint8)
    sides = {2: Dim("height", min=LEAST_SIDE), 3: Dim("width", min=LEAST_SIDE)}
    return torch.export.export(
        padded_in_whole_numbers(Deployed(network)).eval(),
        (example,),
        dynamic_shapes={INPUT: {0: Dim("batch"), **sides}},
        # What padding that depends on the size takes for granted is checked when it runs, not for all sizes.
        prefer_deferred_runtime_asserts_over_guards=True,
    )


def _save_torch(program: ExportedProgram, path: Path, about: dict[str, str], backbone: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about its own ways
            torch.export.save(program, path, extra_files=about)
    except AssertionError as error:  # of torch, which knows no file form for some sums with sizes
        raise UserError(
            f"format torch: torch {torch.__version__} cannot save {backbone}, whose padding depends on the "
            f"image's size ({error}); --format onnx can"
        ) from None


def _check_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"format onnx: {error.name} is not installed: pip install 'wsss[onnx]'") from None


def _save_onnx(program: ExportedProgram, path: Path, about: dict[str, str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about its own ways
        made = torch.onnx.export(
            program, (), dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False
        )
    assert made is not None
    made.model.metadata_props.update(about)
    made.save(path)
