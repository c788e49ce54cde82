"""Plans of runs on data sets of the real sizes: what is planned, and what planning takes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from support.workflow import REPOSITORY, command

from wsss.data.index import Index, Record
from wsss.data.voc import VOC_CLASSES
from wsss.runs.run import load_run

VOC_SIZES = {"train_aug": 10_582, "val": 1_449}
COCO_SIZES = {"train2014": 82_783, "val2014": 40_504}


def voc_sized(directory: Path) -> None:
    """The shipped configurations, and VOC's own numbers of images: links to one, and listed."""
    shutil.copytree(REPOSITORY / "config", directory / "config", dirs_exist_ok=True)
    root = directory / "data" / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    (root / "one.jpg").write_bytes(b"")
    run = load_run("voc12", directory / "config")
    ids = {split: [f"{split}_{i:06d}" for i in range(count)] for split, count in VOC_SIZES.items()}
    for split, names in ids.items():
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(names))
    for split, names in ids.items():
        records = [Record(name, root / "JPEGImages" / f"{name}.jpg", None, ("cat",)) for name in names]
        for record in records:
            record.image.symlink_to(root / "one.jpg")
        index = Index(tuple(records), VOC_CLASSES, split, run.digest("index"))
        index.write(directory / "results" / "voc12" / "index" / f"{split}.csv")


def coco_sized(directory: Path) -> None:
    """The shipped configurations, and COCO's own numbers of images, listed; files that nobody looks at."""
    shutil.copytree(REPOSITORY / "config", directory / "config", dirs_exist_ok=True)
    root = directory / "data" / "coco14"
    run = load_run("coco14", directory / "config")
    for split, count in COCO_SIZES.items():
        annotations = root / "annotations" / f"instances_{split}.json"
        annotations.parent.mkdir(parents=True, exist_ok=True)
        annotations.write_text("{}")
        masks = directory / "results" / "coco14" / "painted" / split
        masks.mkdir(parents=True)
        names = [f"COCO_{split}_{number:012d}" for number in range(count)]
        records = [
            Record(name, root / split / f"{name}.jpg", masks / f"{name}.png", ("person",)) for name in names
        ]
        index = Index(tuple(records), ("person",), split, run.digest("index"))
        index.write(directory / "results" / "coco14" / "index" / f"{split}.csv")


#: runs a command in a process of little memory, and says what it took
MEASURE = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print("took", used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(status)
"""


def plan(directory: Path, *runs: str) -> tuple[dict[str, int], float, float]:
    """Jobs of each rule of these runs together, CPU seconds to plan them, and MB that it took."""
    targets = [f"results/{run}/val_miou.txt" for run in runs]
    planning = command("--dry-run", "--quiet", "rules", "--", *targets)
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", MEASURE, *planning],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=300,
        env=alone,
    )
    printed = ended.stdout + ended.stderr
    assert ended.returncode == 0, printed[-3000:]
    stats = printed.partition("Job stats:")[2].partition("total")[0]
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", stats, re.MULTILINE)}
    took = re.search(r"^took (\S+) (\d+)$", printed, re.MULTILINE)
    assert took
    return jobs, float(took[1]), int(took[2]) / 1024
