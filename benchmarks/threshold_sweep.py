"""How much faster one histogram is than argmax and count per threshold, and whether the numbers are equal.

    python benchmarks/threshold_sweep.py [--size 375 500] [--images 5] [--repeats 5]

Prints one line per number of maps: milliseconds per image of both, their ratio, equality of all counts.
Ends with status 1 when a count differs.
"""

import argparse
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np

from wsss.metrics import ThresholdSweep

NUM_CLASSES = 21
THRESHOLDS = np.arange(0.05, 0.81, 0.05)

Image = tuple[np.ndarray, np.ndarray, np.ndarray]


def smooth_image(rng: np.random.Generator, maps: int, size: tuple[int, int]) -> Image:
    """Scores like a CAM's: coarse noise, resized, many zeros; a mask of blobs with ignored borders."""
    height, width = size
    coarse = np.maximum(rng.normal(0.2, 0.4, (maps, height // 16, width // 16)), 0).astype(np.float32)
    scores = np.stack([cv2.resize(channel, (width, height)) for channel in coarse])
    scores /= scores.max((1, 2), keepdims=True)
    keys = np.array([0, *sorted(rng.choice(np.arange(1, NUM_CLASSES), maps, replace=False))])
    blobs = cv2.resize(rng.random((6, 8)).astype(np.float32), (width, height))
    mask = keys[(blobs * len(keys)).astype(int).clip(0, maps)].astype(np.uint8)
    mask[cv2.Laplacian(mask, cv2.CV_16S) != 0] = 255
    return scores, keys, mask


def plain_loop(images: list[Image]) -> np.ndarray:
    """Background as one more map, argmax, one bincount, per threshold. (thresholds, classes, classes)."""
    counts = np.zeros((len(THRESHOLDS), NUM_CLASSES, NUM_CLASSES), np.int64)
    for scores, keys, mask in images:
        valid = mask != 255
        for i, threshold in enumerate(THRESHOLDS):
            background = np.full((1, *mask.shape), threshold, np.float32)
            prediction = keys[np.argmax(np.concatenate([background, scores]), axis=0)]
            codes = NUM_CLASSES * mask[valid].astype(np.int64) + prediction[valid]
            counts[i] += np.bincount(codes, minlength=NUM_CLASSES**2).reshape(NUM_CLASSES, NUM_CLASSES)
    return counts


def sweep(images: list[Image]) -> np.ndarray:
    """The same counts from one histogram per image."""
    thresholds = ThresholdSweep(NUM_CLASSES, THRESHOLDS)
    for image in images:
        thresholds.update(*image)
    return np.stack([thresholds.confusion(i).counts for i in range(len(THRESHOLDS))])


def best_of(repeats: int, measured: Callable[[list[Image]], np.ndarray], images: list[Image]) -> float:
    """Least seconds per image: what is left when nothing else disturbs."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        measured(images)
        seconds.append(time.perf_counter() - start)
    return min(seconds) / len(images)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, nargs=2, default=(375, 500), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument(
        "--images", type=int, default=5, help="different images, on average of which it is measured"
    )
    parser.add_argument("--repeats", type=int, default=5, help="the fastest of so many is taken")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    height, width = arguments.size
    print(f"{len(THRESHOLDS)} thresholds, {width} x {height} pixels, {NUM_CLASSES} classes")
    print("maps  plain loop ms  sweep ms  ratio  counts")
    equal = True
    for maps in (1, 2, 3):
        images = [smooth_image(rng, maps, (height, width)) for _ in range(arguments.images)]
        same = np.array_equal(plain_loop(images), sweep(images))
        equal &= same
        plain = best_of(arguments.repeats, plain_loop, images)
        ours = best_of(arguments.repeats, sweep, images)
        verdict = "equal" if same else "DIFFERENT"
        print(f"{maps:4d}  {1e3 * plain:13.1f}  {1e3 * ours:8.2f}  {plain / ours:5.0f}  {verdict}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
