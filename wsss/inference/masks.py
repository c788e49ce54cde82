"""Masks: what a segmentation network says of every pixel, with test-time augmentation and a dense CRF.

A CRF takes seconds where a GPU takes a tenth of one, so the two are done side by side, in several threads.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wsss.config import MaskCrfConfig
from wsss.crf import Field, refine_deeplab, refine_mixed
from wsss.data.images import read_image
from wsss.data.index import Index
from wsss.inference.device_network import DeviceNetwork
from wsss.inference.stacks import Stack, per_image
from wsss.models import Segmenter

#: what the network gives of an image, and where the image is: (id, file, probabilities (C, H, W))
Segmented = tuple[str, Path, np.ndarray]
#: images per thread that wait for their CRF, so that neither the network nor the CRF waits for the other
AHEAD = 2


class SegmentationNetwork(DeviceNetwork):
    """A segmentation network on its device: images as bytes at several scales in, probabilities out.

    flip: average with the mirror images.
    """

    def __init__(self, model: Segmenter, device: torch.device, precision: str, flip: bool) -> None:
        super().__init__(model, device, precision)
        self.flip = flip

    @torch.inference_mode()
    def probabilities(self, scales: Sequence[Tensor], size: tuple[int, int], what: str) -> np.ndarray:
        """Softmax of the mean logits of all scales and mirror images: float32 (B, C, H, W), with background.

        scales: of the same images, uint8 (B, h, w, 3), RGB. size: (H, W), to which logits are resized. Raises
        UserError, calling the images `what`, when a single one is too large for a GPU's memory, or a logit is
        not finite.
        """
        total = torch.zeros(())
        for images in scales:
            logits = torch.stack(self.flipped_maps(self.normalize(images), what, flip=self.flip)).mean(0)
            resized = functional.interpolate(logits, size, mode="bilinear", align_corners=False)
            total = total.to(resized) + resized
        self.require_finite(total, what, "a logit")
        probabilities: np.ndarray = (total / len(scales)).softmax(1).cpu().numpy()
        return probabilities


def segmented(
    network: SegmentationNetwork, index: Index, scales: Sequence[float], *, batch: int, workers: int
) -> Iterator[Segmented]:
    """What the network gives of all images of an index, in its order. batch, workers: see `per_image`."""

    def probabilities_of(stack: Stack) -> list[Segmented]:
        found = network.probabilities(stack.pixels, stack.sizes[0], f"images {stack.named}")
        return [
            (record.id, record.image, probabilities)
            for record, probabilities in zip(stack.records, found, strict=True)
        ]

    return per_image(network, probabilities_of, index.records, scales, batch=batch, workers=workers)


def masks_of(
    images: Iterable[Segmented], crf: MaskCrfConfig, *, threads: int, waiting: int | None = None
) -> Iterator[tuple[str, np.ndarray]]:
    """(id, uint8 (H, W) of mask values) of each, in order.

    threads: for the CRF, which runs beside the network. With as many images as threads each thread has an
    image; where fewer are `waiting` (None: many), their threads share the work on an image. Masks do not
    depend on it.
    """
    at_once = threads if waiting is None else min(threads, waiting)
    if at_once < 2 or not crf.iterations:
        for image_id, path, probabilities in images:
            yield image_id, mask_of(path, probabilities, crf, threads=threads)
        return
    # The CRF's library runs without Python's lock, so threads do, and no image is copied to a process.
    with ThreadPoolExecutor(at_once) as pool:
        submitted: deque[tuple[str, Future[np.ndarray]]] = deque()
        for image_id, path, probabilities in images:
            task = pool.submit(mask_of, path, probabilities, crf, threads=threads // at_once)
            submitted.append((image_id, task))
            if len(submitted) > AHEAD * at_once:
                first, mask = submitted.popleft()
                yield first, mask.result()
        for image_id, mask in submitted:
            yield image_id, mask.result()


def mask_of(image: Path, probabilities: np.ndarray, crf: MaskCrfConfig, *, threads: int = 1) -> np.ndarray:
    """The most probable class of every pixel after the CRF, uint8 (H, W). probabilities: (C, H, W)."""
    if crf.iterations:
        field = Field(np.asarray(read_image(image)), threads=threads)
        if crf.kind == "deeplab":
            probabilities = refine_deeplab(field, probabilities, iterations=crf.iterations)
        else:
            probabilities = refine_mixed(field, probabilities, iterations=crf.iterations, gt_prob=crf.gt_prob)
    return probabilities.argmax(0).astype(np.uint8)
