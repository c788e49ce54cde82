"""A network as inference uses it: normalization, precision and a GPU's memory are taken care of."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from wsss.errors import UserError
from wsss.machine.precision import PRECISION, autocast, precision_on
from wsss.models.fused import fused
from wsss.models.network import Network
from wsss.progress import LOGGER


class DeviceNetwork:
    """A model on its device: uint8 images in, maps out.

    The model is moved to `device` and put in evaluation mode; a CPU gets a faster copy of it.
    precision: "float32" (whether a GPU's convolutions round to TF32 is torch's setting), or "bf16" and "fp16"
    for mixed precision; "auto" as `precision_on` says. forward: computes the maps (B, C, h', w') of a
    normalized batch.
    """

    def __init__(
        self,
        model: Network,
        device: torch.device,
        precision: str,
        forward: Callable[[Any, Tensor], Tensor] = Network.__call__,
    ) -> None:
        precision = precision_on(device, precision)
        if precision not in PRECISION:
            raise ValueError(f"precision {precision!r}, allowed are {', '.join(PRECISION)}")
        self.model = model.to(device).eval()
        if device.type == "cpu" and precision == "float32":
            self.model = fused(self.model, forward)
        self.forward = forward
        self.device = device
        self.precision = precision
        normalization = self.model.normalization
        # Kept on the device: a copy of them per image would wait for the GPU.
        self.mean, self.std = (
            torch.tensor(of, device=device) for of in (normalization.mean, normalization.std)
        )
        #: pixels of the smallest batch that did not fit into GPU memory
        self.too_many: float = float("inf")

    def loading(self, batch: int, workers: int) -> tuple[int, int]:
        """Images per batch and loader processes to use: as asked for on a GPU, one and none on a CPU.

        A CPU is up to twice as fast with one image at a time as with eight, and decoding is a hundredth of
        the work; one process with one thread per core uses it best.
        """
        return (1, 0) if self.device.type == "cpu" else (batch, workers)

    def normalize(self, images: Tensor) -> Tensor:
        """uint8 (B, h, w, 3), RGB -> float32 (B, 3, h, w), normalized for the model, on the device."""
        scaled = (images.to(self.device, non_blocking=True).float() / 255 - self.mean) / self.std
        return (scaled if self.model.normalization.order == "rgb" else scaled.flip(-1)).permute(0, 3, 1, 2)

    def maps(self, x: Tensor, what: str) -> Tensor:
        """Float32 maps of a normalized batch, in as few parts as the GPU's memory allows.

        Batches that are too large are halved, which changes no map. Raises UserError, which calls the images
        `what`, when a single one is too large.
        """
        pixels = x.shape[-2] * x.shape[-1]
        part = len(x)
        while part > 1 and part * pixels >= self.too_many:
            part = (part + 1) // 2
        while True:
            try:
                return torch.cat([self._maps(piece) for piece in x.split(part)])
            except torch.OutOfMemoryError:
                self.too_many = min(self.too_many, part * pixels)
            if part == 1:
                raise UserError(
                    f"{what}: a single image of {x.shape[-1]} x {x.shape[-2]} pixels does not fit into the "
                    f"memory of {self.device}; use smaller scales, another precision or the CPU"
                )
            part = (part + 1) // 2
            LOGGER.info("%s: out of GPU memory, continuing with %d at a time", what, part)
            torch.cuda.empty_cache()

    def flipped_maps(self, x: Tensor, what: str, *, flip: bool) -> list[Tensor]:
        """Maps of a normalized batch and, with `flip`, of its mirror images, flipped back; see `maps`."""
        if not flip:
            return [self.maps(x, what)]
        straight, mirrored = self.maps(torch.cat((x, x.flip(-1))), what).chunk(2)
        return [straight, mirrored.flip(-1)]

    def require_finite(self, values: Tensor, what: str, name: str) -> None:
        """Raise UserError, calling the images `what` and their values `name`, when one is not finite."""
        if not values.isfinite().all():
            raise UserError(
                f"{what}: {name} is not finite in {self.precision}; "
                "use another precision, or check whether the training diverged"
            )

    def _maps(self, x: Tensor) -> Tensor:
        with autocast(self.device, self.precision):
            maps = self.forward(self.model, x)
        return maps.float()
