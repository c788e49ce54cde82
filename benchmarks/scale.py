"""Time and memory of everything that lists photographs: a directory of very many, in a folder per class.

    python benchmarks/scale.py DIR [--count 100000]

Photographs are of 64 px, so that what is measured is what each file costs, whatever its size. Prints a line
per command: wall-clock seconds and the peak of its memory.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from wsss.data.palette import voc_palette
from wsss.store.files import write_png

REPOSITORY = Path(__file__).resolve().parents[1]
CLASSES = ("beech", "birch", "oak", "none")


def make(root: Path, count: int) -> None:
    """Write photographs of which no two are equal, a mask of each, and predictions.json."""
    jpegs = []
    for seed in range(len(CLASSES)):
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).resize((64, 64)).save(file, "JPEG")
        jpegs.append(file.getvalue())
    mask = np.zeros((64, 64), np.uint8)
    mask[10:40, 10:50], mask[20:25, 20:30] = 1, 0
    rows = []
    for number in range(count):
        name = CLASSES[number % len(CLASSES)]
        path = root / "photos" / name / f"{number // 1000:03d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Behind the picture's end, where decoders do not look.
        path.write_bytes(jpegs[number % len(CLASSES)] + f"{number:06d}".encode() * (1 + number % 50))
        link = root / "predictions" / "masks" / f"{number:06d}.png"
        # File systems allow some ten thousand links of a file.
        source = root / "predictions" / "sources" / f"{number // 10_000}.png"
        if not source.is_file():
            write_png(source, mask, voc_palette())
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, link)
        rows.append({"photograph": str(path), "mask": f"masks/{link.name}"})
    about = {"run": "photos", "classes": CLASSES[:3], "photographs": rows}
    (root / "predictions" / "predictions.json").write_text(json.dumps(about), encoding="utf-8")


def measure(root: Path, name: str, *command: str) -> None:
    """Run a command there, and print what it took."""
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=root,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{name}: {said.decode()[-2000:]}")
    seconds = time.perf_counter() - start
    print(f"| {name} | {seconds:.0f} s | {usage.ru_maxrss / 1024:.0f} MB |", flush=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("directory", type=Path, metavar="DIR")
    arguments.add_argument("--count", type=int, default=100_000)
    asked = arguments.parse_args()
    root = asked.directory.resolve()
    make(root, asked.count)
    wsss, snakemake = (
        (sys.executable, "-m", "wsss.cli"),
        (sys.executable, "-m", "snakemake", "-s", str(REPOSITORY / "Snakefile")),
    )
    print(f"| {asked.count} photographs | wall clock | peak memory |\n|---|---|---|")
    measure(root, "wsss init", *wsss, "init", "photos")
    measure(root, "snakemake -n", *snakemake, "-n", "-q", "all", "--", "results/photos/report.html")
    measure(
        root, "index_images", *snakemake, "--cores", "1", "-q", "all", "--", "results/photos/index/train.csv"
    )
    for form in ("coco", "yolo-seg"):
        measure(
            root, f"wsss export-masks --format {form}", *wsss, "export-masks", "predictions", "--format", form
        )
