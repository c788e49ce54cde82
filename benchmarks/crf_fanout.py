"""How much faster the dense CRF gets by shards in processes side by side, in one run.

    python benchmarks/crf_fanout.py IMAGES [--limit 40] [--processes 2] [--size 375 500]

Refines C2AM-like maps of the images of a directory (made up from a fixed seed: smooth blobs) with the
published settings, as the rule `refine_saliency` does: first all in one process, then in as many shards and
processes as asked, and so on, in turns, `--repeats` times. Every process has one thread and imports
beforehand. Where there are fewer images than `--limit`, they are taken again under other names. Prints
seconds, images per second, memory per process and the ratio of the best times; ends with status 1 when a mask
differs.
"""

import argparse
import resource
import sys
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from wsss.config import SaliencyCrfConfig
from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.inference.saliency_masks import saliency_masks
from wsss.store.cams import ActivationMaps, ActivationShard
from wsss.store.label_maps import LabelShard, write_label_shard
from wsss.store.maps import write_shard


def copied_images(source: Path, target: Path, limit: int, size: tuple[int, int] | None) -> Index:
    """Images of a directory, as often as it takes, upright at one size (H, W) or at their own."""
    paths = sorted(path for path in source.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    records = []
    for i in range(limit):
        image = read_image(paths[i % len(paths)])
        if size is not None:
            image = image.resize((size[1], size[0]), Image.Resampling.BICUBIC)
        records.append(Record(f"image{i:03d}", target / f"image{i:03d}.png", None, ("object",)))
        image.save(records[-1].image)
    return Index(tuple(records), ("object",), source.name, "")


def blobs(index: Index) -> list[ActivationMaps]:
    """A smooth map at stride 16 for each image."""
    rng = np.random.default_rng(0)
    maps = []
    for record in index:
        with Image.open(record.image) as image:
            width, height = image.size
        coarse = rng.normal(0, 1, (5, 5)).astype(np.float32)
        array = cv2.resize(coarse, (-(-width // 16), -(-height // 16)), interpolation=cv2.INTER_CUBIC)
        maps.append(ActivationMaps(record.id, (height, width), np.array([0, 1]), {1.0: array.clip(0)[None]}))
    return maps


def refine(index: Index, maps: Path, out: Path, shard: tuple[int, int], barrier: Barrier) -> None:
    """One shard, in a process of one thread; the barrier stands between preparation and work."""
    try:
        cv2.setNumThreads(1)
        opened = ActivationShard(maps)
        shards = dict.fromkeys(opened.ids, opened)
        barrier.wait()
        masks = saliency_masks(shards, index, SaliencyCrfConfig(), shard=shard)
        write_label_shard(out / f"{shard[0]:03d}", masks, digest="")
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        (out / f"{shard[0]:03d}.mb").write_text(f"{megabytes:.0f}", encoding="utf-8")
        barrier.wait()
    except BaseException:
        barrier.abort()  # else the others would wait forever
        raise


def seconds_of(processes: int, index: Index, maps: Path, out: Path) -> float:
    """How long that many processes take for all images, from when all are ready until all are done."""
    context = get_context("spawn")
    barrier = context.Barrier(processes + 1)
    started = [
        context.Process(target=refine, args=(index, maps, out, (i, processes), barrier), daemon=True)
        for i in range(processes)
    ]
    for process in started:
        process.start()
    barrier.wait()
    began = time.perf_counter()
    barrier.wait()
    taken = time.perf_counter() - began
    for process in started:
        process.join()
    return taken


def masks_of(directory: Path) -> dict[str, np.ndarray]:
    """All masks of all shards."""
    return {name: mask for path in directory.iterdir() if path.is_dir() for name, mask in LabelShard(path)}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", type=Path, help="directory of .jpg or .png files")
    parser.add_argument("--limit", type=int, default=40, help="how many images")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2, help="turns of both; the best counts")
    parser.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), help="of all images; else their own")
    arguments = parser.parse_args()
    counts = (1, arguments.processes)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        for name in ("images", *(str(count) for count in counts)):
            (root / name).mkdir()
        size = tuple(arguments.size) if arguments.size else None
        index = copied_images(arguments.images, root / "images", arguments.limit, size)
        write_shard(root / "maps.safetensors", blobs(index), digest="")
        taken: dict[int, list[float]] = {count: [] for count in counts}
        for _ in range(arguments.repeats):
            for count in counts:
                taken[count].append(seconds_of(count, index, root / "maps.safetensors", root / str(count)))
        one, many = (masks_of(root / str(count)) for count in counts)
        memory = max(int(path.read_text()) for path in root.glob("*/*.mb"))
    equal = one.keys() == many.keys() and all(np.array_equal(one[name], many[name]) for name in one)
    pixels = sum(mask.size for mask in one.values()) / len(one) / 1e6
    steps = SaliencyCrfConfig().iterations
    print(f"{len(index)} images of {pixels:.2f} megapixels on average, {steps} iterations")
    print("processes  seconds  images/s  (best of the turns)")
    for count, seconds in taken.items():
        print(f"{count:9d}  {min(seconds):7.1f}  {len(index) / min(seconds):8.3f}")
    ratio = min(taken[1]) / min(taken[arguments.processes])
    print(f"{arguments.processes} processes: {ratio:.2f} times one; at most {memory} MB each")
    print(f"masks are {'equal' if equal else 'DIFFERENT'}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
