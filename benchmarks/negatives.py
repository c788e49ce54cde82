"""What photographs without the class bring: one class of `shapes`, half of the pictures without it.

    python benchmarks/negatives.py DIR               # draws the pictures, writes DIR/config/*.yaml
    python benchmarks/negatives.py DIR --table       # after the runs: IoU of the object, with and without

Prints the commands of the runs, whose whole chain is that of `shapes`. Pictures without the class show other
objects. Each seed draws its own weights and order of samples; the pictures are the same.
"""

import argparse
import json
from pathlib import Path
from statistics import mean, stdev

import numpy as np

from wsss.config.document import read_document
from wsss.data.shapes import CLASSES, picture
from wsss.store.files import read_json, write_png, write_text

REPOSITORY = Path(__file__).resolve().parents[1]
KINDS = ("use", "drop")
STAGES = {"cams": "CAM", "pseudo_labels.train": "pseudo label", "masks.val": "mask"}


def draw(root: Path, name: str, train: int, val: int, size: int) -> None:
    """Draw pictures until half of each split shows the class, and half does not."""
    value, rows = CLASSES.index(name) + 1, ["image,labels,split"]
    for split, (part, count) in enumerate((("train", train), ("val", val))):
        left, number = {True: count // 2, False: count - count // 2}, 0
        while any(left.values()):
            made, number = picture(0, split, number, size), number + 1
            shown = bool((made.mask == value).any())
            if not left[shown]:
                continue
            left[shown] -= 1
            image = f"{part}_{number:05d}"
            write_png(root / "photos" / f"{image}.png", made.pixels)
            one = np.where(made.mask == value, 1, np.where(made.mask == 255, 255, 0)).astype(np.uint8)
            write_png(root / "masks" / f"{image}.png", one)
            rows.append(f"{image}.png,{name if shown else ''},{part}")
    write_text(root / "labels.csv", "\n".join(rows) + "\n")


def write_runs(root: Path, name: str, seeds: int) -> list[str]:
    """Write a run for either kind and each seed; returns their names."""
    shapes = read_document(REPOSITORY / "config" / "shapes.yaml").values
    data = {"kind": "folder", "images": "photos", "labels": "labels.csv", "masks": "masks", "classes": [name]}
    names = [f"{kind}-{seed}" for seed in range(seeds) for kind in KINDS]
    for run in names:
        kind, _, seed = run.partition("-")
        section = {"dataset": {**data, "negatives": kind}, "seed": int(seed)}
        write_text(root / "config" / f"{run}.yaml", json.dumps({**shapes, **section}))
    return names


def table(root: Path, name: str) -> None:
    """Print the IoU of the class in percent: mean and standard deviation over the seeds."""
    print(f"| {'IoU of ' + name} | " + " | ".join(STAGES.values()) + " |\n|---" * (len(STAGES) + 2) + "|")
    for kind in KINDS:
        cells = []
        for stage in STAGES:
            found = [
                float(read_json(path)["iou"][name])
                for path in sorted(root.glob(f"results/{kind}-*/metrics/{stage}.json"))
            ]
            spread = f" ± {stdev(found):.1f}" if len(found) > 1 else ""
            cells.append(f"{mean(found):.1f}{spread} ({len(found)})" if found else "—")
        print(f"| negatives: {kind} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("directory", type=Path, metavar="DIR")
    arguments.add_argument("--class", dest="name", default=CLASSES[0], choices=CLASSES)
    arguments.add_argument("--images", type=int, default=300, help="to train on (300)")
    arguments.add_argument("--val", type=int, default=80, help="to score by (80)")
    arguments.add_argument("--size", type=int, default=128, help="their sides, px (128)")
    arguments.add_argument("--seeds", type=int, default=3, help="runs of either kind (3)")
    arguments.add_argument("--table", action="store_true", help="print the table of finished runs")
    asked = arguments.parse_args()
    if asked.table:
        table(asked.directory, asked.name)
    else:
        draw(asked.directory, asked.name, asked.images, asked.val, asked.size)
        runs = write_runs(asked.directory, asked.name, asked.seeds)
        targets = " ".join(f"results/{run}/metrics/chain.csv" for run in runs)
        print(f"snakemake -s {REPOSITORY}/Snakefile --directory {asked.directory} --cores all {targets}")
