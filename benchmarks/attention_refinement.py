"""CLIP-ES's attention refinement: two thin products against the product of N x N matrices, as published.

    python benchmarks/attention_refinement.py

Attention and boxes are drawn: rows like a softmax's, boxes over about a third of the grid. Both ways take
turns in one process with two threads; the figures are the least seconds of the repetitions, their ratio, and
the largest difference relative to the largest value. Then seconds and peak memory of CLIP-ES as a whole on a
drawn image, with a ViT-B/16 of random weights.
"""

import resource
import time
from collections.abc import Callable

import numpy as np
import torch

import wsss.models  # noqa: F401  before timm: it repairs torchvision

# isort: split
import timm
from torch import Tensor

from wsss.inference.attention_refinement import refine
from wsss.inference.clip_cams import clip_es

CLASSES, REPETITIONS, THREADS = 2, 10, 2
GRIDS = [(24, 32), (36, 48), (48, 64)]


def dense(attention: Tensor, boxes: Tensor, cam: Tensor) -> Tensor:
    """The refinement as its formula says it, the product shared by the classes."""
    affinity = attention.clone()
    for _ in range(3):
        affinity /= affinity.sum(0, keepdim=True)
        affinity /= affinity.sum(1, keepdim=True)
    affinity = (affinity + affinity.T) / 2
    affinity = affinity @ affinity
    maps = [(affinity * mask.flatten()) @ row.flatten() for mask, row in zip(boxes, cam, strict=True)]
    return torch.stack(maps).view(cam.shape)


def seconds(function: Callable[[], object]) -> float:
    """Of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    """Print the tables."""
    torch.set_num_threads(THREADS)
    generator = torch.Generator().manual_seed(0)
    print(f"grid     dense     few   ratio  largest difference   ({CLASSES} classes, {THREADS} threads)")
    for height, width in GRIDS:
        count = height * width
        attention = (3 * torch.randn(count, count, generator=generator)).softmax(1)
        boxes = torch.zeros(CLASSES, height, width, dtype=torch.bool)
        boxes[0, 2 : height // 2, 3 : width // 2] = boxes[1, height // 2 : -2, width // 3 : -3] = True
        cam = torch.rand(CLASSES, height, width, generator=generator)
        arguments = (attention, boxes, cam)
        turns = [
            (seconds(lambda a=arguments: dense(*a)), seconds(lambda a=arguments: refine(*a)))
            for _ in range(REPETITIONS)
        ]
        slow, fast = (min(column) for column in zip(*turns, strict=True))
        expected = dense(*arguments)
        difference = float((refine(*arguments) - expected).abs().max() / expected.max())
        print(f"{height}x{width}  {slow:.4f}  {fast:.4f}  {slow / fast:5.1f}  {difference:.1e}")
    network = timm.create_model("vit_base_patch16_clip_quickgelu_224", num_classes=512).eval()
    text = torch.nn.functional.normalize(torch.randn(26, 512, generator=generator))
    image = np.random.default_rng(0).integers(0, 256, (384, 512, 3), np.uint8)
    whole = min(seconds(lambda: clip_es(network, image, text, classes=CLASSES)) for _ in range(3))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"clip_es, 384 x 512, {CLASSES} classes: {whole:.2f} s; the process's peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
