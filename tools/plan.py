"""Prints what a run on VOC 2012 or COCO 2014 takes of a cluster, by rule: a plan, not a measurement.

    python tools/plan.py voc12|coco14 [--gpus-per-node 4] [--nodes 2] [--cores-per-gpu 200]

Measured are seconds of one core per image, with ResNeSt-269 at 512 px and for the dense CRF at 500 x 375 px.
Everything else follows from the run's configuration by counting: images, epochs, scales, pixels. How many
cores a GPU replaces is an assumption, until `make costs` shows a first training.
"""

import argparse
import math
import re
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from wsss.runs.choices import selects_epoch
from wsss.runs.run import Run, chain, load_run, stages
from wsss.runs.stage import Stage
from wsss.runs.stages import STAGES, before

REPOSITORY = Path(__file__).resolve().parent.parent
#: measured, seconds of one core per image: the network forward, forward and backward
FORWARD, TRAIN = 4.76, 14.5
#: and the CRF of a photograph: its first step, and each further one; with 21 labels, as a multiple
CRF, CRF_STEP, CRF_OF_21 = 0.02, 0.004, 4.0
CRF_PIXELS, NETWORK_PIXELS = 500 * 375, 512 * 512
#: classes of an image that have a map; bytes of a network; bytes per pixel of a PNG, of gray and of labels
MAPS, NETWORK, GRAY, LABELS = 1.5, 440e6, 0.2, 0.03
#: PoolNet's ResNet-50 as a part of ResNeSt-269
SMALL = {"PoolNet": 1 / 4}


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


def plans(run: Run, data: Data) -> list[Plan]:
    """A plan for every stage that takes a GPU or is sharded, in order."""
    memory = {}
    for path in (REPOSITORY / "rules").glob("*.smk"):
        found = re.findall(r"^rule (\w+):.*?mem_mb=\w+\((\d+)[,)]", path.read_text(), re.M | re.S)
        for name, mb in found:
            memory[name] = int(mb)
    planned = [STAGES[name] for name in chain(run) if STAGES[name].kind != "index"]
    return [_plan(stage, run, data, memory[stage.rule]) for stage in planned]


def _plan(stage: Stage, run: Run, data: Data, mb: int) -> Plan:
    section: Any = attrgetter(stage.section)(run.config)
    small = SMALL.get(stage.architecture or _network(stage, run), 1.0)
    if stage.kind == "training":
        crop = getattr(getattr(section, "augmentation", None), "crop", None)
        seen = crop**2 / NETWORK_PIXELS if crop else data.pixels / NETWORK_PIXELS
        # P-NOC: the image, its tiles, the OC on the rest of it, and the OC's own steps take one pass each.
        passes = 1 + len(getattr(section, "regularizers", ()))
        seconds = passes * section.optimisation.epochs * seen * small * data.train * TRAIN
        return Plan(stage.rule, 1, "gpus", seconds, mb, 2, small * NETWORK)
    both = stage.name in _of_both_splits(run)
    images = {"train": data.train, "val": data.val}[stage.split] if not both else data.train + data.val
    jobs = run.config.cams.shards * (2 if both else 1)
    seconds = small * _forward(stage, section, data) + _crf(stage, section, data)
    files = images if stage.shards == "LabelShard" else jobs
    on = "gpu" if stage.gpu else "core"
    return Plan(stage.rule, jobs, on, images * seconds, mb, files, images * _bytes(stage, section, data))


def _network(stage: Stage, run: Run) -> str:
    """The architecture of the network whose maps a stage makes."""
    trained = [STAGES[name].architecture for name in before(run.config, stage.name)]
    return next(filter(None, trained), "")


def _of_both_splits(run: Run) -> set[str]:
    """The stages that a run makes of the validation split, too, for the labels that choose the epoch."""
    labels = [name for name in stages(run) if name == "pseudo_labels" and selects_epoch(run.config)]
    found: set[str] = set()
    while labels:
        found.add(name := labels.pop())
        labels += [other for other in before(run.config, name) if STAGES[other].sharded]
    return found


def _scales(section: Any) -> float:
    """Pixels of an image at all scales, mirrored too, as a multiple of its own."""
    return sum(scale**2 for scale in section.scales) * (2 if section.flip else 1)


def _forward(stage: Stage, section: Any, data: Data) -> float:
    if not stage.gpu:
        return 0.0
    if hasattr(section, "scales"):
        return _scales(section) * data.pixels / NETWORK_PIXELS * FORWARD
    return 2 * FORWARD  # AffinityNet sees the image and its mirror image at 512 px.


def _crf(stage: Stage, section: Any, data: Data) -> float:
    settings = getattr(section, "crf", section)
    if not (iterations := getattr(settings, "iterations", 0)):
        return 0.0
    labels = CRF_OF_21 * data.classes / 21 if stage.gpu else 1
    fields = 2 if hasattr(section, "fg_threshold") else 1
    return fields * labels * data.pixels / CRF_PIXELS * (CRF + (iterations - 1) * CRF_STEP)


def _bytes(stage: Stage, section: Any, data: Data) -> float:
    if stage.shards == "LabelShard":
        return (LABELS if stage.kind == "labels" else GRAY) * data.pixels
    maps = 1 if stage.shards == "ActivationShard" else MAPS
    scales = sum(scale**2 for scale in section.scales) / 16**2 if hasattr(section, "scales") else 1 / 4**2
    return maps * 4 * scales * data.pixels


def hours(plan: Plan, gpus: int, nodes: int, cores_per_gpu: float) -> float:
    """From the first job's start to the last one's end, where nobody else uses the cluster."""
    alone = plan.seconds / plan.jobs / 3600
    if plan.on == "core":
        return alone
    if plan.on == "gpus":
        return alone / cores_per_gpu / gpus
    return alone / cores_per_gpu * math.ceil(plan.jobs / (gpus * nodes))


def table(name: str, gpus: int = 4, nodes: int = 2, cores_per_gpu: float = 200.0) -> str:
    """A line per rule and one for all, as Markdown. name: of a run in `DATA`."""
    columns = ("rule", "jobs", "each on", "core hours", "hours", "memory of one", "files", "disk")
    lines = [columns, ("---", "---:", "---", *["---:"] * 5)]
    on = {"gpus": f"{gpus} GPUs", "gpu": "1 GPU", "core": "1 core"}
    planned = plans(load_run(name, REPOSITORY / "config"), DATA[name])
    total = 0.0
    for plan in planned:
        total += (needed := hours(plan, gpus, nodes, cores_per_gpu))
        costs = f"{plan.seconds / 3600:,.0f}", f"{needed:.1f}", f"{plan.mb / 1000:g} GB"
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
    parser.add_argument("--gpus-per-node", type=int, default=4, help="all of them work on a training")
    parser.add_argument("--nodes", type=int, default=2, help="over which shards are spread")
    parser.add_argument("--cores-per-gpu", type=float, default=200.0, help="cores that do the work of a GPU")
    given = parser.parse_args()
    print(table(given.run, given.gpus_per_node, given.nodes, given.cores_per_gpu))


if __name__ == "__main__":
    main()
