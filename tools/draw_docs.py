"""Draws docs/images/chain.png from a finished demo: what `make figures` runs.

    python tools/draw_docs.py [--run shapes]

Four images of the validation split, chosen by the IoU of the network's masks alone: near the best tenth,
the middle, the lower quarter, and the worst. Needs CAMs, pseudo labels and masks of `val`.
"""

import argparse
from pathlib import Path

import numpy as np

from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.data.palette import read_mask
from wsss.figures.overlay import colored, heat, legend
from wsss.figures.sheet import Row, resize, resize_labels, size_within, write_sheet
from wsss.metrics import IGNORE, ConfusionMatrix
from wsss.store.cams import CamShard
from wsss.store.label_maps import LabelShard

#: places of the four images in the order of their IoU, from the worst to the best, as shares of all
PLACES = (0.9, 0.5, 0.25, 0.0)
SIDE = 200
HEADINGS = ("photograph", "CAM", "pseudo label", "mask")


def shards_of(directory: Path, kind: type) -> dict:
    """By image id, the shard of a split that holds its map."""
    return {
        image_id: shard
        for path in sorted(directory.iterdir())
        for shard in [kind(path)]
        for image_id in shard.ids
    }


def miou(record: Record, prediction: np.ndarray, classes: int) -> float:
    """Mean IoU of one image over the classes in its mask or prediction."""
    matrix = ConfusionMatrix(classes)
    assert record.mask is not None
    matrix.update(prediction, read_mask(record.mask))
    return float(matrix.miou())


def main() -> None:
    """Choose the images and write the sheet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", default="shapes")
    parser.add_argument("--out", type=Path, default=Path("docs/images/chain.png"))
    arguments = parser.parse_args()
    results = Path("results", arguments.run)
    index = Index.read(results / "index" / "val.csv")
    cams = shards_of(results / "cams" / "val", CamShard)
    labels = shards_of(results / "pseudo_labels" / "val", LabelShard)
    masks = shards_of(results / "masks" / "val", LabelShard)
    scored = sorted(
        (miou(record, masks[record.id][record.id], len(index.classes) + 1), record.id, record)
        for record in index.records
    )
    rows = []
    for place in PLACES:
        score, name, record = scored[round(place * (len(scored) - 1))]
        size = size_within(masks[name][name].shape, SIDE)
        image = resize(np.asarray(read_image(record.image)), size)
        maps = [resize_labels(shards[name][name], size) for shards in (labels, masks)]
        rows.append(
            Row(
                f"{', '.join(record.labels)}: IoU {100 * score:.0f} %",
                [
                    image,
                    heat(image, resize(cams[name][name].full().max(axis=0), size)),
                    *(colored(image, np.where(labels_ == IGNORE, 0, labels_)) for labels_ in maps),
                ],
            )
        )
    write_sheet(
        arguments.out,
        rows,
        side=SIDE,
        title="From image-level labels to masks",
        headings=HEADINGS,
        legend=[entry for entry in legend(index, index.classes) if entry[0] != "ignored"],
        per_line=1,
    )


if __name__ == "__main__":
    main()
