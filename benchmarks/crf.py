"""The dense CRF against pydensecrf, in one process: ratios, agreement and memory by labels and size.

    python benchmarks/crf.py IMAGES [--sizes 500x375 1000x750] [--labels 2 3 5 21] [--repeats 5] [--threads 1]
    python benchmarks/crf.py IMAGES --memory 6000x4000 --labels 2

Photographs of the directory are resized; energies are of smooth random maps from a fixed seed: of hard
labels with the kernels for labels, from 21 labels on of probabilities with DeepLab's. One and ten steps are
taken, each with filters of its own (the filter of positions is kept for images of one size), in turns with
pydensecrf (`pip install -e .[pydensecrf]`). `two of 10`: two inferences of one image, as an affinity label
takes them, which share our filters. CPU seconds, medians; with several threads seconds of the clock. --memory
runs ours alone and prints the peak of the process. Ends with status 1 if a label differs.
"""

import argparse
import math
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

from wsss.crf import DEEPLAB_KERNELS, LABEL_KERNELS, Field, Kernels, native

MANY_LABELS = 21
IMAGES = 3


class Row(NamedTuple):
    """What is timed: inferences of an image, of so many steps each."""

    name: str
    steps: int
    inferences: int


ROWS = (Row("1 step", 1, 1), Row("10 steps", 10, 1), Row("two of 10", 10, 2))


def problem(size: tuple[int, int], labels: int, seed: int) -> tuple[np.ndarray, Kernels]:
    """Energies (labels, H, W) of smooth random maps, and the kernels for them."""
    rng = np.random.default_rng(seed)
    zoom = (size[0] / 6, size[1] / 8)
    maps = np.stack(
        [ndimage.zoom(rng.standard_normal((6, 8)), zoom, order=1, output=np.float32) for _ in range(labels)]
    )
    if labels >= MANY_LABELS:
        maps = np.exp(3 * maps)
        return -np.log((maps / maps.sum(0)).clip(1e-5, 1)), DEEPLAB_KERNELS
    unary = np.full(maps.shape, -math.log(0.3 / (labels - 1)), np.float32)
    np.put_along_axis(unary, maps.argmax(0)[None], -math.log(0.7), axis=0)
    return unary, LABEL_KERNELS


def theirs(image: np.ndarray, unary: np.ndarray, kernels: Kernels, row: Row) -> np.ndarray:
    """The same of pydensecrf."""
    from pydensecrf import densecrf

    labels, height, width = unary.shape
    for _ in range(row.inferences):
        field = densecrf.DenseCRF2D(width, height, labels)
        field.setUnaryEnergy(unary.reshape(labels, -1))
        field.addPairwiseGaussian(sxy=kernels.position_sxy, compat=kernels.position_weight)
        field.addPairwiseBilateral(
            sxy=kernels.color_sxy, srgb=kernels.color_srgb, rgbim=image, compat=kernels.color_weight
        )
        marginals = np.array(field.inference(row.steps), np.float32)
    return marginals.reshape(unary.shape)


def timed(
    clock: Callable[[], float], work: Callable[..., np.ndarray], *args: Any
) -> tuple[float, np.ndarray]:
    """Seconds, and what came of it."""
    began = clock()
    result = work(*args)
    return clock() - began, result


def ours(image: np.ndarray, unary: np.ndarray, kernels: Kernels, threads: int, row: Row) -> np.ndarray:
    """Marginals of the last inference of a row."""
    field = Field(image, threads=threads)
    return [field.infer(unary, kernels, row.steps) for _ in range(row.inferences)][-1]


def compare(images: list[np.ndarray], labels: int, repeats: int, threads: int) -> int:
    """Print a line of the table; returns the pixels with another label."""
    clock = time.perf_counter if threads > 1 else time.process_time
    seconds: dict[Row, list[tuple[float, float]]] = {row: [] for row in ROWS}
    different = 0
    for seed, image in enumerate(images):
        unary, kernels = problem(image.shape[:2], labels, seed)
        for repeat in range(repeats + 1):
            for row in ROWS:
                mine, marginals = timed(clock, ours, image, unary, kernels, threads, row)
                its, expected = timed(clock, theirs, image, unary, kernels, row)
                if repeat:  # the first warms up
                    seconds[row].append((its, mine))
                else:
                    different += int((marginals.argmax(0) != expected.argmax(0)).sum())
    height, width = images[0].shape[:2]
    cells = [
        f"{median(its for its, _ in taken):7.3f} {median(mine for _, mine in taken):7.3f} "
        f"{median(its / mine for its, mine in taken):6.2f}"
        for taken in seconds.values()
    ]
    print(f"{width:>5}x{height:<5} {labels:6d}  {'   '.join(cells)}  {different:9d}", flush=True)
    return different


def memory(path: Path, size: tuple[int, int], labels: int, threads: int) -> None:
    """Peak memory of one inference of ten steps, beside its energies and its result."""
    width, height = size
    image = np.asarray(Image.open(path).convert("RGB").resize(size, Image.Resampling.BICUBIC))
    unary, kernels = problem((height, width), labels, 0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    seconds, _ = timed(time.process_time, ours, image, unary, kernels, threads, ROWS[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    pixels = width * height / 1e6
    print(
        f"{pixels:.1f} megapixels, {labels} labels, {threads} threads: {seconds:.1f} s of CPU, "
        f"peak {peak:.2f} GB, {before:.2f} before it; energies and marginals {2 * unary.nbytes / 1e9:.2f}"
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", type=Path, help="directory of .jpg files")
    parser.add_argument("--sizes", nargs="+", default=["500x375", "1000x750"], help="WIDTHxHEIGHT")
    parser.add_argument("--labels", nargs="+", type=int, default=[2, 3, 5, 21])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory", help="WIDTHxHEIGHT: print the peak of ours instead")
    arguments = parser.parse_args()
    paths = sorted(arguments.images.glob("*.jpg"))[:IMAGES]

    def parsed(text: str) -> tuple[int, int]:
        width, height = text.split("x")
        return int(width), int(height)

    print(f"build: {native.library()._name}; CPU seconds of pydensecrf, of ours, ratio")
    if arguments.memory:
        memory(paths[0], parsed(arguments.memory), arguments.labels[0], arguments.threads)
        return 0
    print(f"{'size':11} labels  {'   '.join(f'{row.name:^22}' for row in ROWS)}  different")
    different = 0
    for size in map(parsed, arguments.sizes):
        images = [
            np.array(Image.open(path).convert("RGB").resize(size, Image.Resampling.BICUBIC)) for path in paths
        ]
        for labels in arguments.labels:
            different += compare(images, labels, arguments.repeats, arguments.threads)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
