"""Which images a gallery shows: the best, the worst, the middle, each class, and some that nobody chose."""

from collections.abc import Mapping
from typing import Any

import numpy as np

#: images of a gallery, those of them at each end and in the middle, and the seed of the draw
IMAGES, ENDS, SEED = 40, 6, 0


def choose_images(
    images: Mapping[str, Any], labels: Mapping[str, tuple[str, ...]], *, count: int = IMAGES, seed: int = SEED
) -> dict[str, str]:
    """Why each chosen image is shown, by id, in the order in which they are.

    images: `miou` and `iou` by class, by id. labels: each image's classes. `count` images or all: up to
    `ENDS` of the best, the worst and those nearest to the median; for each class, the hardest first, the
    image that is nearest to the class's median; and a draw. No image comes twice. Where none has a score,
    they are one for each class, the rarest first, and a draw.
    """
    if not images:
        return _drawn({}, _of_each(labels), list(labels), count, seed)
    ranked = sorted(images, key=lambda image: (-images[image]["miou"], image))
    ends = min(ENDS, max(1, count // 6))
    middle = max(0, len(ranked) // 2 - ends // 2)
    chosen: dict[str, str] = {}
    for why, ids in (
        ("best", ranked[:ends]),
        ("worst", ranked[::-1][:ends]),
        ("median", ranked[middle : middle + ends]),
    ):
        chosen |= {image: why for image in ids if image not in chosen}
    return _drawn(chosen, _typical(images, labels), list(images), count, seed)


def _drawn(
    chosen: Mapping[str, str], of_class: Mapping[str, list[str]], images: list[str], count: int, seed: int
) -> dict[str, str]:
    """What is chosen, and the first of each class that is not yet, and a draw of all others."""
    chosen = dict(chosen)
    for name, found in of_class.items():
        for image in (image for image in found if image not in chosen and len(chosen) < count):
            chosen[image] = f"one of {name}"
            break
    left = [image for image in images if image not in chosen]
    drawn = np.random.default_rng(seed).permutation(len(left))[: max(0, count - len(chosen))]
    return {**dict(list(chosen.items())[:count]), **{left[place]: "drawn" for place in sorted(drawn)}}


def _of_each(labels: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """By class, the rarest first: its images."""
    names = {name for found in labels.values() for name in found}
    of_class = {name: [image for image, found in labels.items() if name in found] for name in names}
    return {name: of_class[name] for name in sorted(names, key=lambda name: (len(of_class[name]), name))}


def _typical(images: Mapping[str, Any], labels: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """By class, the one with the lowest median first: its images, those nearest to the median first."""
    of_class: dict[str, dict[str, float]] = {}
    for image, names in labels.items():
        for name in names:
            if image in images and name in images[image]["iou"]:
                of_class.setdefault(name, {})[image] = images[image]["iou"][name]
    medians = {name: float(np.median(list(found.values()))) for name, found in of_class.items()}
    return {
        name: sorted(of_class[name], key=lambda image: (abs(of_class[name][image] - medians[name]), image))
        for name in sorted(medians, key=lambda name: (medians[name], name))
    }
