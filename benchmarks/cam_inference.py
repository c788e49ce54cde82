"""CAM inference as the product does it against the plain loop, in one run, on a CPU.

    python benchmarks/cam_inference.py IMAGES [--backbone tf_efficientnet_lite0] [--repeats 2]

The plain loop: one image, one scale and its mirror image at a time, float32, torch's default threads and
memory, full-resolution maps saved with np.save. The product: shards in processes of one thread each, as many
as there are cores, maps kept at the network's resolution. Both with one to three classes per image (drawn
from a fixed seed: a directory of images has no labels) and with the network built beforehand. They take
turns, `--repeats` times. Prints images per second of the best turns, megabytes and the largest difference of
the full-resolution maps; ends with status 1 when it is above 1e-4.
"""

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

from wsss.machine.torch_settings import set_torch_defaults

if __name__ != "__main__":
    # Only the product's own processes have its settings; torch reads them on import.
    set_torch_defaults()

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from wsss.config import CamsConfig
from wsss.data.index import Index, Record
from wsss.inference.cam_network import CamNetwork
from wsss.inference.cams import cam_maps
from wsss.models import Classifier
from wsss.store.cams import CamShard
from wsss.store.maps import write_shard

CLASSES = tuple(f"class{c}" for c in range(20))
TOLERANCE = 1e-4
SCALES = CamsConfig().scales
CPU = torch.device("cpu")


def directory_index(directory: Path, limit: int | None) -> Index:
    """The images of a directory, each with one to three classes."""
    rng = np.random.default_rng(0)
    paths = sorted(path for path in directory.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    records = [
        Record(path.stem, path, None, tuple(np.sort(rng.choice(CLASSES, rng.integers(1, 4), replace=False))))
        for path in paths[:limit]
    ]
    return Index(tuple(records), CLASSES, directory.name, "")


def network(arguments: argparse.Namespace) -> Classifier:
    """The same network in every process."""
    torch.manual_seed(0)
    return Classifier(arguments.backbone, len(CLASSES), weights=arguments.weights).eval()


@torch.no_grad()
def plain_loop(model: Classifier, index: Index, directory: Path) -> None:
    """Save the full-resolution maps of each image, in the most straightforward way."""
    mean, std = (
        np.array(values, np.float32) for values in (model.normalization.mean, model.normalization.std)
    )
    for record in index:
        image = Image.open(record.image).convert("RGB")
        aligned = tuple(math.ceil(side / 16) * 16 for side in (image.height, image.width))
        total = torch.zeros(len(CLASSES), *aligned)
        for scale in SCALES:
            size = round(image.width * scale), round(image.height * scale)
            pixels = (np.asarray(image.resize(size, Image.Resampling.BICUBIC), np.float32) / 255 - mean) / std
            x = torch.from_numpy(pixels).permute(2, 0, 1)
            cam = model.forward_cam(torch.stack([x, x.flip(-1)]))[1].relu()
            merged = cam[0] + cam[1].flip(-1)
            total += interpolate(merged[None], aligned, mode="bilinear", align_corners=False)[0]
        channels = [CLASSES.index(name) for name in record.labels]
        kept = total[sorted(channels), : image.height, : image.width]
        kept /= kept.amax((1, 2), keepdim=True) + 1e-5
        np.save(directory / f"{record.id}.npy", kept.numpy())


def product(
    arguments: argparse.Namespace, index: Index, directory: Path, shard: tuple[int, int], barrier: Barrier
) -> None:
    """One shard, in a process of one thread; the barrier stands between preparation and work."""
    try:
        torch.set_num_threads(1)
        model = network(arguments)
        barrier.wait()
        maps = cam_maps(CamNetwork(model, CPU, "float32", flip=True), index.shard(*shard), SCALES)
        write_shard(directory / f"{shard[0]:02d}.safetensors", maps, digest="")
        barrier.wait()
    except BaseException:
        barrier.abort()  # else the others would wait forever
        raise


@contextmanager
def stopwatch(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Notes how long the block took, if it was faster than before."""
    start = time.perf_counter()
    yield
    seconds[name] = min(time.perf_counter() - start, seconds.get(name, math.inf))


def in_shards(
    arguments: argparse.Namespace, index: Index, directory: Path, seconds: dict[str, float]
) -> None:
    """Run `product` in one process per core."""
    context = get_context("spawn")
    barrier = context.Barrier(arguments.cores + 1)
    processes = [
        context.Process(
            target=product, args=(arguments, index, directory, (i, arguments.cores), barrier), daemon=True
        )
        for i in range(arguments.cores)
    ]
    for process in processes:
        process.start()
    barrier.wait()
    with stopwatch(seconds, "product"):
        barrier.wait()
    for process in processes:
        process.join()


def megabytes(directory: Path) -> float:
    """Size of all files of a directory."""
    return sum(path.stat().st_size for path in directory.iterdir()) / 1e6


def largest_difference(plain: Path, shards: Path) -> float:
    """Over all images and classes, of the full-resolution maps (which lie in 0..1)."""
    return max(
        float(np.abs(maps.full() - np.load(plain / f"{maps.id}.npy")).max())
        for path in sorted(shards.iterdir())
        for maps in CamShard(path)
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", type=Path, help="directory of .jpg or .png files")
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--weights", default="package", help="as in a configuration: none, package, a file")
    parser.add_argument("--limit", type=int, help="only the first so many images")
    parser.add_argument("--repeats", type=int, default=2, help="turns of both; the best counts")
    parser.add_argument(
        "--cores", type=int, default=len(os.sched_getaffinity(0)), help="processes of the product"
    )
    arguments = parser.parse_args()
    index = directory_index(arguments.images, arguments.limit)
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        plain, shards = Path(temporary, "plain"), Path(temporary, "shards")
        plain.mkdir()
        shards.mkdir()
        model = network(arguments)
        for _ in range(arguments.repeats):
            with stopwatch(seconds, "plain loop"):
                plain_loop(model, index, plain)
            in_shards(arguments, index, shards, seconds)
        sizes = {"plain loop": megabytes(plain), "product": megabytes(shards)}
        difference = largest_difference(plain, shards)
    print(f"{len(index)} images, {arguments.backbone}, {arguments.cores} cores, scales {SCALES} and flips")
    print("            images/s  seconds       MB  (best of the turns)")
    for name, taken in seconds.items():
        print(f"{name:10s}  {len(index) / taken:8.3f}  {taken:7.1f}  {sizes[name]:7.2f}")
    faster, smaller = seconds["plain loop"] / seconds["product"], sizes["plain loop"] / sizes["product"]
    print(f"product: {faster:.2f} times the images per second, files {smaller:.1f} times smaller")
    print(f"largest difference of the maps: {difference:.1e}")
    return 0 if difference <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
