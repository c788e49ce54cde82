"""The Python API: a trained run as an object that takes photographs and gives masks.

    predictor = wsss.Predictor("results/mine")
    prediction = predictor("photo.jpg")

A file of a network is enough; neither the run's configuration nor the repository is needed then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from PIL import Image

from wsss.config import MaskCrfConfig, MasksConfig
from wsss.data.outlines import regions_of
from wsss.data.palette import voc_palette
from wsss.data.photos import Photo, enlarged
from wsss.errors import UserError
from wsss.figures.overlay import colored
from wsss.inference.masks import SegmentationNetwork
from wsss.inference.photographs import Looks, photograph_masks
from wsss.inference.trained import trained_segmenter
from wsss.models import Segmenter
from wsss.runs.run import load_run
from wsss.store.networks import Header, load_network

#: a photograph: pixels uint8 (H, W, 3) RGB or (H, W) gray, a Pillow image, or a path
Photograph = str | PathLike[str] | np.ndarray | Image.Image
BACKGROUND = "background"


@dataclass(frozen=True)
class Prediction:
    """What the network says of one photograph.

    mask: uint8 (H, W), in the photograph's size and as viewers turn it; value v is `classes[v]`.
    scores: float32 (C, h, w), probabilities in [0, 1] before the CRF, in the size that the network saw (that
    of the photograph, unless it is larger than `side`). classes: names, background first. palette: uint8
    (256, 3), RGB, the colors of the mask's values. photograph: uint8 (H, W, 3).
    """

    mask: np.ndarray
    scores: np.ndarray
    classes: tuple[str, ...]
    photograph: np.ndarray = field(repr=False)

    @property
    def palette(self) -> np.ndarray:
        """Colors of the mask's values: uint8 (256, 3), RGB."""
        return voc_palette()

    def overlay(self) -> np.ndarray:
        """The classes in their colors over the gray photograph: uint8 (H, W, 3), RGB."""
        return colored(self.photograph, self.mask)

    def areas(self, pixels_per_cm: float | None = None) -> dict[str, dict[str, float]]:
        """By class that is shown, `pixels`, `percent` and `confidence`, the mean probability in [0, 1].

        pixels_per_cm: adds `cm2`.
        """
        confidence, found = self._confidence(), {}
        counts = np.bincount(self.mask.ravel(), minlength=len(self.classes))
        for value, name in enumerate(self.classes):
            if not counts[value]:
                continue
            found[name] = {
                "pixels": int(counts[value]),
                "percent": 100 * float(counts[value]) / self.mask.size,
                "confidence": float(confidence[self.mask == value].mean()),
            }
            if pixels_per_cm:
                found[name]["cm2"] = int(counts[value]) / pixels_per_cm**2
        return found

    def to_coco(self, image_id: int = 1, *, first: int = 1, least: int = 1) -> list[dict[str, Any]]:
        """The regions as annotations of MS COCO, with `score`; `category_id` is the mask's value.

        image_id: of the photograph. first: number of the first annotation. least: regions of fewer pixels are
        left out.
        """
        regions = regions_of(self.mask, self._confidence(), least=least)
        return [
            {"id": number, "image_id": image_id, **region.to_coco()}
            for number, region in enumerate(regions, first)
        ]

    def _confidence(self) -> np.ndarray:
        """The probability of each pixel's label, float32 (H, W)."""
        maps = [enlarged(each, (self.mask.shape[0], self.mask.shape[1])) for each in self.scores]
        found: np.ndarray = np.take_along_axis(np.stack(maps), self.mask[None], 0)[0]
        return found


class Predictor:
    """The segmentation network of a run.

    source: a run's name or directory (`results/mine`), or the file of a network (`segmentation.safetensors`).
    device: as torch names it; None: a GPU if there is one. side: larger photographs are seen at this longest
    side, px; 0: none is; None: the largest side in the run's training. scales, flip, crf: test-time
    augmentation, and the CRF's iterations; None: as the run has it, and of a file one scale, mirror images
    and no CRF. batch: photographs of one size that a GPU sees at once. threads: of the CPU, for the CRF.

    Raises UserError for a source that has no network.
    """

    def __init__(
        self,
        source: str | PathLike[str],
        device: str | torch.device | None = None,
        *,
        side: int | None = None,
        scales: Sequence[float] | None = None,
        flip: bool | None = None,
        crf: int | None = None,
        batch: int = 8,
        threads: int = 1,
    ) -> None:
        model, about, masks, largest = _opened(Path(source))
        changes: dict[str, Any] = {"scales": None if scales is None else tuple(scales), "flip": flip}
        kept = {key: value for key, value in changes.items() if value is not None}
        self.masks = masks.model_copy(update=kept)
        if crf is not None:
            self.masks = self.masks.model_copy(
                update={"crf": self.masks.crf.model_copy(update={"iterations": crf})}
            )
        if device is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.classes = (BACKGROUND, *about.classes)
        self.looks = Looks(self.masks, largest if side is None else side, batch, threads=threads)
        self.network = SegmentationNetwork(model, torch.device(device), self.masks.precision, self.masks.flip)

    @overload
    def __call__(self, photographs: Photograph) -> Prediction: ...
    @overload
    def __call__(self, photographs: list[Any] | tuple[Any, ...]) -> list[Prediction]: ...

    def __call__(
        self, photographs: Photograph | list[Any] | tuple[Any, ...]
    ) -> Prediction | list[Prediction]:
        """Predict a photograph, or several: a list gives a list, in its order.

        Pixels are uint8, RGB (H, W, 3) or gray (H, W). Files are turned as their EXIF orientation says.
        Raises UserError for a file that does not decode, and for arrays of another form.
        """
        if isinstance(photographs, list | tuple):
            return list(self.predict(photographs))
        (prediction,) = self.predict([photographs])
        return prediction

    def predict(self, photographs: Sequence[Photograph]) -> Iterator[Prediction]:
        """The predictions one by one: for more photographs than fit into memory, give a part at a time."""
        taken = [_Taken(str(number), Path(), _pixels(each)) for number, each in enumerate(photographs)]
        for photo, (mask, scores) in zip(
            taken, photograph_masks(self.network, taken, self.looks), strict=True
        ):
            pixels = np.asarray(photo.upright())
            whole = enlarged(mask, (pixels.shape[0], pixels.shape[1]))
            yield Prediction(whole, scores, self.classes, pixels)


@dataclass(frozen=True)
class _Taken(Photo):
    """A photograph in memory or on disk."""

    pixels: Image.Image | None = None

    def upright(self) -> Image.Image:
        assert self.pixels is not None
        return self.pixels


def _pixels(photograph: Photograph) -> Image.Image:
    if isinstance(photograph, Image.Image):
        return photograph.convert("RGB")
    if not isinstance(photograph, np.ndarray):
        return Photo("", Path(photograph)).upright()
    form = photograph.ndim == 2 or (photograph.ndim == 3 and photograph.shape[2] == 3)
    if photograph.dtype != np.uint8 or not form or not photograph.size:
        raise UserError(
            f"an array of {photograph.dtype} {photograph.shape}: must be uint8, (H, W, 3) RGB or (H, W) gray"
        )
    return Image.fromarray(photograph).convert("RGB")


def _opened(source: Path) -> tuple[Segmenter, Header, MasksConfig, int]:
    """The network, what it is, how it looks at photographs, and at which longest side."""
    if source.suffix == ".safetensors":
        model, about = load_network(source, Segmenter)
        return model, about, MasksConfig(scales=(1.0,), crf=MaskCrfConfig(iterations=0)), 0
    if source.is_dir() and len(source.parts) > 1:
        found = [path for path in _networks(source) if path.is_file()]
        if not (source.resolve() == (Path("results") / source.name).resolve() and _described(source.name)):
            if not found:
                raise UserError(f"{source}: has no network; {_networks(source)[0]} is missing")
            return _opened(found[0])
    run = load_run(source.name)
    model, about = trained_segmenter(run)
    section = run.config.segmentation
    return model, about, section.masks, section.training.augmentation.max_side


def _networks(directory: Path) -> list[Path]:
    return [
        directory / "models" / "segmentation.safetensors",
        directory / "given" / "segmentation.safetensors",
    ]


def _described(name: str) -> bool:
    return Path("config", f"{name}.yaml").is_file()
