"""A classifier as CAM inference uses it: normalisation, mirror images and precision on the device."""

import numpy as np
import torch
from torch import Tensor

from wsss.errors import UserError
from wsss.models.classifier import Classifier
from wsss.models.weights import Normalization
from wsss.precision import PRECISION, autocast
from wsss.progress import LOGGER


class CamNetwork:
    """A model on its device: images as bytes in, merged maps of the wanted channels out.

    The model is moved to `device` and put in evaluation mode.
    precision: "float32" (whether a GPU's convolutions round to TF32 is torch's setting), or "bf16" and "fp16"
    for mixed precision. flip: look at the mirror images, too.
    """

    def __init__(self, model: Classifier, device: torch.device, precision: str, flip: bool) -> None:
        if precision not in PRECISION:
            raise ValueError(f"precision {precision!r}, allowed are {', '.join(PRECISION)}")
        self.model = model.to(device).eval()
        self.device = device
        self.precision = precision
        self.flip = flip
        #: pixels that were too many for the GPU's memory; no stack gets as large again
        self.too_many: float = float("inf")

    @torch.inference_mode()
    def __call__(self, images: Tensor, channels: list[list[int]], what: str) -> list[np.ndarray]:
        """Maps of a stack of images of one size.

        images: uint8 (B, h, w, 3), RGB. channels: per image, those to return. Returns per image
        relu(A(image)) + flip(relu(A(flipped image))), or the first term alone without `flip`, as float32
        (its channels, h', w'). Stacks too large for a GPU's memory are halved, which changes no map.
        Raises UserError, calling the images `what`, when a single one is too large, or a map is not finite.
        """
        x = _normalise(images.to(self.device, non_blocking=True), self.model.normalization)
        if self.flip:
            x = torch.cat((x, x.flip(-1)))
        cam = self._forward(x, what).relu()
        if self.flip:
            straight, mirrored = cam.chunk(2)
            cam = straight + mirrored.flip(-1)
        rows = [row for row, wanted in enumerate(channels) for _ in wanted]
        columns = [column for wanted in channels for column in wanted]
        kept = cam[rows, columns].cpu().numpy()
        if not np.isfinite(kept).all():
            raise UserError(
                f"{what}: a CAM is not finite in {self.precision}; "
                "try another precision, or see whether the model has diverged"
            )
        return np.split(kept, np.cumsum([len(wanted) for wanted in channels])[:-1])

    def _forward(self, x: Tensor, what: str) -> Tensor:
        """Float32 CAMs of a normalised stack, in as few parts as the GPU's memory allows."""
        pixels = x.shape[-2] * x.shape[-1]
        part = len(x)
        while part > 1 and part * pixels >= self.too_many:
            part = (part + 1) // 2
        while True:
            try:
                return torch.cat([self._cam(piece) for piece in x.split(part)])
            except torch.OutOfMemoryError:
                self.too_many = min(self.too_many, part * pixels)
            if part == 1:
                raise UserError(
                    f"{what}: not even one of {x.shape[-1]} x {x.shape[-2]} pixels fits into the memory of "
                    f"{self.device}; use smaller scales, another precision or the CPU"
                )
            part = (part + 1) // 2
            LOGGER.info("%s: out of GPU memory, going on with %d at a time", what, part)
            torch.cuda.empty_cache()

    def _cam(self, x: Tensor) -> Tensor:
        with autocast(self.device, self.precision):
            _, cam = self.model.forward_cam(x)
        return cam.float()


def _normalise(images: Tensor, normalization: Normalization) -> Tensor:
    """uint8 (B, h, w, 3) RGB -> float32 (B, 3, h, w) as the backbone wants it, on the device of `images`."""
    mean = torch.tensor(normalization.mean, device=images.device)
    std = torch.tensor(normalization.std, device=images.device)
    scaled = (images.float() / 255 - mean) / std
    return (scaled if normalization.order == "rgb" else scaled.flip(-1)).permute(0, 3, 1, 2)
