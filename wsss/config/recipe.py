"""Settings for a user's own photographs: the keys that differ from the published values, by number and size.

The published schedules are for thousands of images and several GPUs. With few images, trainings need more
epochs and a frozen backbone; with small ones, crops of enlarged images. The values are those of the shipped
run `shapes` (300 images of 128 px) and of a run on 26 photographs of VOC 2012; in between, the number of
epochs follows from the number of steps. They are a starting point and were not tuned on the user's masks.
"""

from typing import Any

#: images whose longer side has at least so many pixels are cropped, smaller ones are enlarged first
LARGE = 320
#: with fewer images the backbone is frozen
FEW = 200
#: longer sides, in pixels, of the test-time augmentation for images above `HUGE`
TEST_SIDES, HUGE = (500, 1000), 1000


def recipe(images: int, side: int) -> dict[str, Any]:
    """Sections of a run's file. images: of training. side: the median of their longer sides, in pixels."""
    few, small = images < FEW, side < LARGE
    crop = max(64, 32 * round(side / 32)) if small else LARGE
    half, batch = max(1, images // 2), 4 if images < FEW // 2 else 8
    backbone = {"backbone": "tf_efficientnet_lite0", "weights": "package"}
    lr = 0.001 if few else 0.0003

    def adamw(lr: float, batch: int, steps: int, least: int, most: int) -> dict[str, Any]:
        batch = min(batch, half)
        epochs = min(most, max(least, round(steps * batch / images)))
        return {"optimizer": "adamw", "lr": lr, "epochs": epochs, "batch": batch}

    def cut(least: float, most: float, sides: tuple[int, int]) -> dict[str, Any]:
        low, high = (int(least * crop), int(most * crop)) if small else sides
        return {"crop": crop, "min_side": low, "max_side": high}

    whole = {"accumulate": 1, "precision": "float32"}
    seen = {**cut(1.125, 1.875, (224, 448)), "color": ["colorjitter"]}
    found: dict[str, Any] = {
        "network": {**backbone, "norm": "fix", **({"freeze": "all"} if few else {})},
        "oc": {"optimisation": adamw(lr, 8, 150, 4, 25), "augmentation": seen},
        "priors": {
            "method": "pnoc",
            "optimisation": {**adamw(lr, 8, 260, 5, 25), **whole},
            "augmentation": seen,
            "puzzle": {"weight": 0.1 if few else 0.3},
        },
        "cams": {"shards": min(16, max(2, images // 100))},
        "saliency": {
            "c2am": {
                "optimisation": {**adamw(lr if few else 0.0001, 8 if few else 16, 56, 3, 10), **whole},
                "augmentation": {"size": crop * 9 // 8 if small else 352, "crop": crop},
            },
            "poolnet": {
                "network": backbone,
                "optimisation": {"lr": 0.0002, "epochs": 2 if few else 1, "accumulate": 2},
            },
        },
        "affinity": {
            "training": {
                "optimisation": adamw(0.001, batch, 220, 3, 20),
                "augmentation": cut(0.875, 1.25, (256, 480)),
                "radius": 5 if small else 10,
            },
        },
        "segmentation": {
            "training": {
                **({"network": {"freeze": "stem"}} if few else {}),
                "optimisation": adamw(0.0001, batch, 250, 5, 20),
                "augmentation": cut(0.875, 1.5, (224, 512)),
                "selection": "last",
            },
        },
    }
    if small:
        found["cams"]["scales"] = [1.0, 1.5, 2.0]
        found["affinity"]["walk"] = {"side": crop, "beta": 5, "steps": max(8, round(128 * (side / 512) ** 2))}
        found["segmentation"]["masks"] = {"scales": [0.75, 1.0, 1.25]}
    if side > HUGE:
        scales = [round(test_side / side, 3) for test_side in TEST_SIDES]
        found["cams"]["scales"] = scales
        found["saliency"]["maps"] = {"scales": scales}
        found["segmentation"]["masks"] = {"scales": scales}
    return found
