"""Color and strong augmentations of a training image: CLAHE, color jitter and RandAugment.

All take and return an RGB PIL image of one size. Randomness comes from the generator that is passed in and
from nowhere else, so that a sample stays a pure function of its seed.
"""

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from wsss.errors import UserError

#: color jitter of the published trainings: factors 1 ± these, and the hue's shift as a part of the circle
BRIGHTNESS, CONTRAST, SATURATION, HUE = 0.3, 0.3, 0.3, 0.1
#: CLAHE's contrast limit and its grid of tiles
CLIP_LIMIT, TILES = 2.0, (8, 8)
#: RandAugment: operations per image, strengths 1 .. MAGNITUDE - 1, chance of each, cutout's side in pixels
OPERATIONS, MAGNITUDE, CHANCE, CUTOUT = 2, 10, 0.5, 16


@cache
def _opencv() -> Any:
    # Imported on first use, for it costs start-up in every worker. Its thread pool does not survive the fork
    # that makes workers, and one worker per core leaves it nothing to win.
    import cv2

    cv2.setNumThreads(0)
    return cv2


def clahe(image: Image.Image) -> Image.Image:
    """Equalise lightness locally (contrast-limited adaptive histogram equalisation on L of LAB)."""
    cv2 = _opencv()
    lab = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(clipLimit=CLIP_LIMIT, tileGridSize=TILES).apply(lab[..., 0])
    return Image.fromarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


def adjust_hue(image: Image.Image, shift: float) -> Image.Image:
    """Turn the hue by `shift` of the full circle, in [-0.5, 0.5]; 0 leaves it, 0.5 is the complement."""
    hue, saturation, value = image.convert("HSV").split()
    steps = int(shift * 255)
    turned = hue.point([(level + steps) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


def color_jitter(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Change brightness, contrast, saturation and hue in random order, as torchvision's ColorJitter does."""
    brightness, contrast, saturation = rng.uniform(
        [1 - BRIGHTNESS, 1 - CONTRAST, 1 - SATURATION], [1 + BRIGHTNESS, 1 + CONTRAST, 1 + SATURATION]
    )
    shift = rng.uniform(-HUE, HUE)
    changes: list[Callable[[Image.Image], Image.Image]] = [
        partial(enhance, ImageEnhance.Brightness, factor=brightness),
        partial(enhance, ImageEnhance.Contrast, factor=contrast),
        partial(enhance, ImageEnhance.Color, factor=saturation),
        partial(adjust_hue, shift=shift),
    ]
    for position in rng.permutation(len(changes)):
        image = changes[position](image)
    return image


def enhance(kind: type, image: Image.Image, factor: float) -> Image.Image:
    """Apply one of PIL's enhancers; factor 1 leaves the image as it is, 0 removes the quality altogether."""
    result: Image.Image = kind(image).enhance(float(factor))
    return result


def rand_augment(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """RandAugment with FixMatch's pool (Sohn et al., 2020), as the published trainings use it.

    Two operations are drawn with replacement; each gets a strength in {1 .. 9} and happens with probability
    0.5. A black square of 16 pixels' side at a random center, clipped at the border, always follows.
    """
    for name in rng.choice(list(POOL), OPERATIONS):
        strength = int(rng.integers(1, MAGNITUDE))
        sign = 1 if rng.random() < 0.5 else -1
        if rng.random() < CHANCE:
            image = POOL[name](image, strength, sign)
    return cutout(image, rng)


def cutout(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Blacken a square of 16 pixels' side around a random pixel; parts outside the image are lost."""
    x, y = int(rng.integers(image.width)), int(rng.integers(image.height))
    half = CUTOUT // 2
    left, top = max(x - half, 0), max(y - half, 0)
    image = image.copy()
    image.paste((0, 0, 0), (left, top, min(x + half, image.width), min(y + half, image.height)))
    return image


def _affine(image: Image.Image, a: float, b: float, c: float, d: float, e: float, f: float) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, (a, b, c, d, e, f))


#: RandAugment's pool: name -> operation(image, strength in {1 .. 9}, sign in {-1, 1}). What an affine
#: operation uncovers is black. Enhancement factors are 0.14 .. 0.86: always a reduction
POOL: dict[str, Callable[[Image.Image, int, int], Image.Image]] = {
    "autocontrast": lambda image, v, sign: ImageOps.autocontrast(image),
    "brightness": lambda image, v, sign: enhance(ImageEnhance.Brightness, image, 0.09 * v + 0.05),
    "color": lambda image, v, sign: enhance(ImageEnhance.Color, image, 0.09 * v + 0.05),
    "contrast": lambda image, v, sign: enhance(ImageEnhance.Contrast, image, 0.09 * v + 0.05),
    "equalize": lambda image, v, sign: ImageOps.equalize(image),
    "identity": lambda image, v, sign: image,
    "posterize": lambda image, v, sign: ImageOps.posterize(image, 4 + int(0.4 * v)),
    "rotate": lambda image, v, sign: image.rotate(sign * 3 * v),
    "sharpness": lambda image, v, sign: enhance(ImageEnhance.Sharpness, image, 0.09 * v + 0.05),
    "shear_x": lambda image, v, sign: _affine(image, 1, sign * 0.03 * v, 0, 0, 1, 0),
    "shear_y": lambda image, v, sign: _affine(image, 1, 0, 0, sign * 0.03 * v, 1, 0),
    "solarize": lambda image, v, sign: ImageOps.solarize(image, 256 - int(25.6 * v)),
    "translate_x": lambda image, v, sign: _affine(image, 1, 0, sign * 0.03 * v * image.width, 0, 1, 0),
    "translate_y": lambda image, v, sign: _affine(image, 1, 0, 0, 0, 1, sign * 0.03 * v * image.height),
}

#: what a configuration may name, in the order in which they are applied
AUGMENTATIONS: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "clahe": lambda image, rng: clahe(image),
    "colorjitter": color_jitter,
    "randaugment": rand_augment,
}


def check_augmentations(names: Iterable[str]) -> None:
    """Raise UserError when a name is not an augmentation."""
    unknown = [name for name in names if name not in AUGMENTATIONS]
    if unknown:
        raise UserError(f"augment: unknown {', '.join(unknown)}; allowed: {', '.join(AUGMENTATIONS)}")


def augment(image: Image.Image, names: Iterable[str], rng: np.random.Generator) -> Image.Image:
    """Apply the named augmentations, always in the published order whatever the order of `names`."""
    wanted = set(names)
    for name, change in AUGMENTATIONS.items():
        if name in wanted:
            image = change(image, rng)
    return image
