"""Settings for photographs of one's own: what differs from the published values, by their number and size.

The published schedules are made for thousands of images and several GPUs. Few images need more epochs, so
that the steps suffice, and a backbone that keeps what it knows of ImageNet; small ones need crops of
enlarged images. The values are those of the shipped run `shapes` (300 images of 128 px) and of a run of 26
photographs of VOC 2012, and what lies between is set by the number of steps. They are a beginning, chosen
on no masks of the user's.
"""

from typing import Any

#: from here on an image is cut, and below it is enlarged; so many px of the longer side
LARGE = 320
#: fewer images than this teach a backbone nothing that it would not forget more by
FEW = 200
#: the sides, in px, that images are seen at when they are larger than what the published scales are for
SEEN, HUGE = (500, 1000), 1000


def recipe(images: int, side: int) -> dict[str, Any]:
    """Sections of a run's file for so many training images, whose longer side is `side` px in the median."""
    few, small = images < FEW, side < LARGE
    crop = max(64, 32 * round(side / 32)) if small else LARGE
    half, batch = max(1, images // 2), 4 if images < FEW // 2 else 8
    network = {"backbone": "tf_efficientnet_lite0", "weights": "package", "norm": "fix"}
    classifier = {**network, "freeze": "all"} if few else network
    trunk = {key: network[key] for key in ("backbone", "weights")}
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
        "oc": {"network": classifier, "optimisation": adamw(lr, 8, 150, 4, 25), "augmentation": seen},
        "priors": {
            "method": "pnoc",
            "network": classifier,
            "optimisation": {**adamw(lr, 8, 260, 5, 25), **whole},
            "augmentation": seen,
            "puzzle": {"weight": 0.1 if few else 0.3},
        },
        "cams": {"shards": min(16, max(2, images // 100))},
        "saliency": {
            "c2am": {
                "network": classifier,
                "optimisation": {**adamw(lr if few else 0.0001, 8 if few else 16, 56, 3, 10), **whole},
                "augmentation": {"size": crop * 9 // 8 if small else 352, "crop": crop},
            },
            "poolnet": {
                "network": trunk,
                "optimisation": {"lr": 0.0002, "epochs": 2 if few else 1, "accumulate": 2},
            },
        },
        "affinity": {
            "training": {
                "network": trunk,
                "optimisation": adamw(0.001, batch, 220, 3, 20),
                "augmentation": cut(0.875, 1.25, (256, 480)),
                "radius": 5 if small else 10,
            },
        },
        "segmentation": {
            "training": {
                "network": {**network, "freeze": "stem"} if few else network,
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
        scales = [round(seen_at / side, 3) for seen_at in SEEN]
        found["cams"]["scales"] = scales
        found["saliency"]["maps"] = {"scales": scales}
        found["segmentation"]["masks"] = {"scales": scales}
    return found
