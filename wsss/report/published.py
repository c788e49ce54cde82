"""Published figures, for comparison with a run's own: by the run with the same settings.

All are from the README of the reference's later release; that of the release whose settings are the defaults
names none. Of its segmentation networks it does not say how they were trained: the release's own script does
it as `voc12-2024`. Of COCO's classes no figures are at hand. CLIP-ES's are its paper's.
"""

from dataclasses import dataclass

from wsss.data.voc import VOC_CLASSES
from wsss.runs.run import Run


@dataclass(frozen=True)
class Figure:
    """A published mIoU, in percent, and a note."""

    miou: float
    note: str


_MASKS = "DeepLabV3+, CRF; split not stated"
_LATER = f"{_MASKS}; of the later release, which trains it as voc12-2024"

#: by run and stage
FIGURES: dict[str, dict[str, Figure]] = {
    "voc12": {
        "cams": Figure(63.7, "P-NOC+ls; split not stated; 63.3 in an older README"),
        "saliency_crf": Figure(67.9, "C2AM-H of P-NOC+ls, CRF; split not stated"),
        "saliency": Figure(70.8, "PoolNet; split not stated"),
        "pseudo_labels": Figure(75.5, "AffinityNet's random walk, CRF; split not stated"),
        "masks": Figure(73.8, f"{_LATER}; 73.5 on test"),
    },
    "voc12-2024": {"masks": Figure(73.8, f"{_MASKS}; 73.5 on test")},
    "voc12-supervised": {"masks": Figure(80.6, _LATER)},
    "voc12-no-smoothing": {"cams": Figure(62.9, "P-NOC, its OC with ls; split not stated")},
    "voc12-vanilla": {"cams": Figure(53.7, "vanilla, RandAugment, ls; split not stated")},
    "voc12-poc": {
        "cams": Figure(61.9, "P-OC+ls; split not stated"),
        "masks": Figure(71.4, f"{_LATER}; 72.4 on test"),
    },
    "voc12-poc-no-smoothing": {"cams": Figure(61.5, "P-OC; split not stated")},
    "voc12-clip-es": {"cams": Figure(70.8, "Lin et al., CVPR 2023; train; 75.0 after a CRF")},
    "coco14": {
        "cams": Figure(40.7, "P-NOC; mIoU (train)"),
        "saliency_crf": Figure(70.5, "C2AM-H, CRF"),
        "saliency": Figure(71.3, "PoolNet"),
        "pseudo_labels": Figure(47.7, "AffinityNet's random walk; train"),
        "masks": Figure(47.7, "val; another table of the same README says 44.6"),
    },
}

#: of which images `CLASSES` are
SPLIT = "test, by the evaluation server"
_VOC_TEST = dict(
    zip(
        ("background", *VOC_CLASSES),
        (
            *(91.7, 87.9, 38.1, 80.9, 66.1, 69.8, 93.8, 86.4, 93.2, 37.4, 83.6),
            *(60.9, 92.3, 84.7, 83.8, 80.5, 62.3, 81.9, 53.1, 77.7, 36.7),
        ),
        strict=True,
    )
)
#: IoU of the masks' classes in percent, by run
CLASSES: dict[str, dict[str, float]] = {"voc12": _VOC_TEST, "voc12-2024": _VOC_TEST}


def figure_of(run: Run, stage: str) -> Figure | None:
    """The published figure of a stage of a run, or of the run that owns the stage."""
    return FIGURES.get(run.owner(stage).name, {}).get(stage)


def classes_of(run: Run) -> dict[str, float]:
    """The published IoU of the classes of a run's masks; empty where there is none."""
    return CLASSES.get(run.owner("masks").name, {})
