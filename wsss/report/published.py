"""Published figures of single classes, to stand beside a run's own; of stages, see `figures.chain`."""

#: percent by run and class; the reference's README, of its P-NOC on the evaluation server
CLASSES: dict[str, dict[str, float]] = {
    "voc12": {
        "background": 91.7,
        "aeroplane": 87.9,
        "bicycle": 38.1,
        "bird": 80.9,
        "boat": 66.1,
        "bottle": 69.8,
        "bus": 93.8,
        "car": 86.4,
        "cat": 93.2,
        "chair": 37.4,
        "cow": 83.6,
        "diningtable": 60.9,
        "dog": 92.3,
        "horse": 84.7,
        "motorbike": 83.8,
        "person": 80.5,
        "pottedplant": 62.3,
        "sheep": 81.9,
        "sofa": 53.1,
        "train": 77.7,
        "tvmonitor": 36.7,
    }
}
#: of which images they are
SPLITS = {"voc12": "test, by the evaluation server"}
