"""Prints what a run on VOC 2012 or COCO 2014 takes of a cluster, by rule: a plan, not a measurement.

    python tools/plan.py voc12|coco14 [--gpus-per-node 4] [--nodes 2] [--cores-per-gpu 200]

Measured are seconds of one core per image, with ResNeSt-269 at 512 px and for the dense CRF at 500 x 375 px.
All else follows by counting: images, epochs, scales, pixels. No GPU was at hand: of how many cores it does
the work is an assumption, until `make costs` says what a first training took.
"""

import argparse
import math
from typing import NamedTuple

#: measured, seconds of one core per image: the network forward, forward and backward
FORWARD, TRAIN = 4.76, 14.5
#: and the CRF of a photograph: ten steps of few labels, one step, ten steps of 21 labels
CRF, CRF_ONE_STEP, CRF_OF_21 = 1.0, 0.3, 2.0
CRF_PIXELS, NETWORK_PIXELS = 500 * 375, 512 * 512
#: pixels that an image has at all scales of inference, mirrored too, as a multiple of its own
ALL_SCALES = 2 * (0.5**2 + 1 + 1.5**2 + 2**2)
#: classes of an image that have a map; bytes of a network; bytes per pixel of a PNG, of grey and of labels
MAPS, NETWORK, GREY, LABELS = 1.5, 440e6, 0.2, 0.03
#: PoolNet's ResNet-50 as a part of ResNeSt-269
SMALL = 1 / 4
SHARDS = 16


class Data(NamedTuple):
    """A data set: images to train on and to validate on, pixels of one, classes with background."""

    train: int
    val: int
    pixels: int
    classes: int


DATA = {"voc12": Data(10582, 1449, 500 * 375, 21), "coco14": Data(82081, 40137, 640 * 480, 81)}


class Plan(NamedTuple):
    """What a rule takes. seconds: of one core, of all jobs. on: gpus, gpu or core. mb: as the rule asks for.

    files, size: that stay, in bytes.
    """

    rule: str
    jobs: int
    on: str
    seconds: float
    mb: int
    files: int
    size: float


def plans(data: Data) -> list[Plan]:
    """Of the chain of config/voc12.yaml, in order."""
    train, val, pixels, classes = data
    both, seen, crf = train + val, data.pixels / NETWORK_PIXELS, data.pixels / CRF_PIXELS
    looked, cam = ALL_SCALES * seen * FORWARD, 4 * ALL_SCALES / 2 * pixels / 16**2
    grey, labels = GREY * pixels, LABELS * pixels

    def training(rule: str, epochs: float, mb: int, part: float = 1.0) -> Plan:
        return Plan(rule, 1, "gpus", epochs * train * TRAIN, mb, 2, part * NETWORK)

    def shards(rule: str, on: str, images: int, seconds: float, mb: int, size: float, *, png: bool) -> Plan:
        jobs = SHARDS * (2 if images == both else 1)
        return Plan(rule, jobs, on, images * seconds, mb, images if png else jobs, images * size)

    return [
        training("train_oc", 15, 16000),
        # An image, its tiles, the OC on what is left of it, and the OC's own steps: about one pass each.
        training("train_priors", 15 * 4, 32000),
        shards("make_cams", "gpu", both, looked, 8000, MAPS * cam, png=False),
        training("train_c2am", 10 * (448 / 512) ** 2, 32000),
        shards("make_c2am_maps", "gpu", train, looked, 8000, cam, png=False),
        shards("refine_saliency", "core", train, crf * CRF, 1500, grey, png=True),
        training("train_poolnet", 9 * seen * SMALL, 16000, SMALL),
        shards("make_saliency", "gpu", train, seen * SMALL * FORWARD, 4000, grey, png=True),
        shards("make_affinity_labels", "core", train, 2 * crf * CRF, 1500, labels, png=True),
        training("train_affinity", 3, 16000),
        shards("walk_cams", "gpu", both, 2 * FORWARD, 4000, MAPS * 4 * pixels / 4**2, png=False),
        shards("make_pseudo_labels", "core", both, crf * CRF_ONE_STEP, 1500, labels, png=True),
        training("train_segmentation", 50, 32000),
        shards("make_masks", "gpu", val, looked + crf * CRF_OF_21 * classes / 21, 8000, labels, png=True),
    ]


def hours(plan: Plan, gpus: int, nodes: int, cores_per_gpu: float) -> float:
    """From the first job's start to the last one's end, where nobody else uses the cluster."""
    alone = plan.seconds / plan.jobs / 3600
    if plan.on == "core":
        return alone
    if plan.on == "gpus":
        return alone / cores_per_gpu / gpus
    return alone / cores_per_gpu * math.ceil(plan.jobs / (gpus * nodes))


def table(data: Data, gpus: int = 4, nodes: int = 2, cores_per_gpu: float = 200.0) -> str:
    """A line per rule and one for all, as Markdown."""
    columns = ("rule", "jobs", "each on", "core hours", "hours", "memory of one", "files", "disk")
    lines = [columns, ("---", "---:", "---", *["---:"] * 5)]
    on = {"gpus": f"{gpus} GPUs", "gpu": "1 GPU", "core": "1 core"}
    planned = plans(data)
    total = 0.0
    for plan in planned:
        total += (took := hours(plan, gpus, nodes, cores_per_gpu))
        costs = f"{plan.seconds / 3600:,.0f}", f"{took:.1f}", f"{plan.mb / 1000:g} GB"
        stays = f"{plan.files:,}", f"{plan.size / 1e9:.1f} GB"
        lines.append((f"`{plan.rule}`", str(plan.jobs), on[plan.on], *costs, *stays))
    core_hours, jobs = sum(plan.seconds for plan in planned) / 3600, sum(plan.jobs for plan in planned)
    files, size = sum(plan.files for plan in planned), sum(plan.size for plan in planned) / 1e9
    lines.append(
        ("together", str(jobs), "", f"{core_hours:,.0f}", f"{total:.0f}", "", f"{files:,}", f"{size:.0f} GB")
    )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", choices=DATA)
    parser.add_argument("--gpus-per-node", type=int, default=4, help="which a training takes all")
    parser.add_argument("--nodes", type=int, default=2, help="over which shards are spread")
    parser.add_argument("--cores-per-gpu", type=float, default=200.0, help="cores that do the work of a GPU")
    given = parser.parse_args()
    print(table(DATA[given.run], given.gpus_per_node, given.nodes, given.cores_per_gpu))


if __name__ == "__main__":
    main()
