"""What each stage of a run takes of a cluster: a plan, not a measurement.

Memory, traffic and arithmetic on GPUs are computed (`wsss.plan.costs`), rates are the makers'
(`wsss.plan.cards`); seconds of CPU cores were measured with the dense CRF and with the loaders' transforms.
All else is counted from the configuration: images, epochs, scales, pixels.
"""

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from wsss.config import RunConfig
from wsss.errors import UserError
from wsss.machine.shares import Shares
from wsss.plan.cards import Card
from wsss.plan.figures import Asked, figures
from wsss.runs.choices import selects_epoch
from wsss.runs.run import Run, chain, stages
from wsss.runs.stage import Stage
from wsss.runs.stages import STAGES, before

#: seconds of one core: the CRF of 500 x 375 px, its first step and each further one; with 21 labels, as a
#: multiple
CRF, CRF_STEP, CRF_OF_21 = 0.02, 0.004, 4.0
#: and to load a photograph of that size: for a crop of 512 px, for each color augmentation, and per megapixel
#: of scales
LOAD, LOAD_COLOR, LOAD_SCALE = 0.009, {"randaugment": 0.003, "colorjitter": 0.011, "clahe": 0.011}, 0.02
CRF_PIXELS, CROP_PIXELS = 500 * 375, 512 * 512
#: classes of an image that have a map; bytes of a network; bytes per pixel of a PNG, of gray and of labels
MAPS, NETWORK, GRAY, LABELS = 1.5, 440e6, 0.2, 0.03


@dataclass(frozen=True)
class Data:
    """A data set: images to train on and to validate on, (H, W) of one, classes without the background."""

    train: int
    val: int
    size: tuple[int, int]
    classes: int

    @property
    def pixels(self) -> int:
        """Of an image."""
        return self.size[0] * self.size[1]


#: the data sets that are planned, by `dataset.kind`
DATA = {"voc": Data(10582, 1449, (375, 500), 20), "coco": Data(82081, 40137, (480, 640), 80)}


@dataclass(frozen=True)
class StagePlan:
    """What a stage takes. hours: from its first job's start to its last one's end, on all GPUs, or on one
    core.

    batch: images on a GPU at once, asked for and that fit (0: not even one); accumulate: optimizer steps are
    of so many batches, where all fit. memory: bytes on a GPU with the batch asked for. cores: to load images
    for one GPU. files, size: that stay, in bytes.
    """

    stage: str
    precision: str
    batch: int
    fits: int
    memory: float
    hours: float
    cores: float
    files: int
    size: float

    @property
    def on_gpu(self) -> bool:
        """Whether it computes on GPUs."""
        return self.batch > 0


def plans(run: Run, card: Card, gpus: int = 1) -> list[StagePlan]:
    """A plan for every stage that takes a GPU or is sharded, in order.

    Raises UserError for a data set whose number of images is not known here, and where costs cannot be
    computed.
    """
    data = DATA.get(run.config.dataset.kind)
    if data is None:
        raise UserError(
            f"run {run.name}: dataset.kind is {run.config.dataset.kind}; plans are known for "
            f"{', '.join(DATA)}"
        )
    planned = [STAGES[name] for name in chain(run) if STAGES[name].kind not in ("index", "text")]
    planned = [stage for stage in planned if not run.given(stage.name)]
    asked = {stage.name: _asked(stage, run, data, card) for stage in planned if _takes_gpu(stage)}
    known = figures(run.config, list(asked.values()))
    return [
        _on_gpus(stage, run, data, card, gpus, asked[stage.name], known[asked[stage.name]])
        if stage.name in asked
        else _on_core(stage, run, data)
        for stage in planned
    ]


def _takes_gpu(stage: Stage) -> bool:
    return stage.gpu or stage.kind == "training"


def _section(stage: Stage, config: RunConfig) -> Any:
    return attrgetter(stage.section)(config)


def precision_of(stage: Stage, config: RunConfig, card: Card) -> str:
    """The arithmetic of a stage on a GPU: `float32`, `bf16` or `fp16`."""
    section = _section(stage, config)
    keys = getattr(section, "optimisation", section)
    wanted = getattr(keys, "precision", "float32")
    return ("bf16" if card.bf16 else "fp16") if wanted == "auto" else wanted


def _asked(stage: Stage, run: Run, data: Data, card: Card) -> Asked:
    precision = precision_of(stage, run.config, card)
    if precision == "bf16" and not card.bf16:
        raise UserError(
            f"{card.title} has no bf16, which {stage.section} of run {run.name} asks for; set its precision "
            "to auto, fp16 or float32"
        )
    return Asked(stage.name, data.size, data.classes, "float32" if precision == "float32" else "half")


def _on_gpus(
    stage: Stage, run: Run, data: Data, card: Card, gpus: int, asked: Asked, costs: dict[str, Any]
) -> StagePlan:
    section, config = _section(stage, run.config), run.config
    if stage.kind == "training":
        optimization = section.optimisation
        used = max(1, Shares(optimization.batch, section.images_per_process).processes(gpus))
        batch = optimization.batch // used
        steps = optimization.epochs * (data.train // optimization.batch)
    else:
        batch, used = config.machine.inference_batch, gpus
        steps = -(-_images(stage, run, data) // (batch * gpus))
    seconds = _seconds(costs, batch, card)
    least = section.images_per_process if stage.kind == "training" else 1
    fits = batch
    while fits >= least and _memory(costs, fits) > card.usable:
        fits //= 2
    fits = fits if fits >= least else 0
    files = 2 if stage.kind == "training" else _files(stage, run, data)
    size = NETWORK if stage.kind == "training" else _images(stage, run, data) * _bytes(stage, section, data)
    hours = (
        steps * seconds / 3600
        if fits == batch or not fits
        else steps * (batch // fits) * _seconds(costs, fits, card) / 3600
    )
    cores = batch / seconds * _load(stage, section, data)
    precision = precision_of(stage, config, card)
    return StagePlan(stage.name, precision, batch, fits, _memory(costs, batch), hours, cores, files, size)


def _on_core(stage: Stage, run: Run, data: Data) -> StagePlan:
    section, images = _section(stage, run.config), _images(stage, run, data)
    hours = images * _crf(section, data) / 3600
    return StagePlan(
        stage.name, "", 0, 0, 0.0, hours, 0.0, _files(stage, run, data), images * _bytes(stage, section, data)
    )


def _memory(costs: dict[str, Any], images: int) -> float:
    return float(max(costs["memory_least"], costs["memory_fixed"] + images * costs["memory_image"]))


def _seconds(costs: dict[str, Any], images: int, card: Card) -> float:
    flops = {kind: count * images for kind, count in costs["flops"].items()}
    return card.seconds(costs["traffic_fixed"] + images * costs["traffic_image"], flops)


def _of_both_splits(run: Run) -> set[str]:
    """The stages that a run makes of the validation split, too, for the labels that choose the epoch."""
    labels = [name for name in stages(run) if name == "pseudo_labels" and selects_epoch(run.config)]
    found: set[str] = set()
    while labels:
        found.add(name := labels.pop())
        labels += [other for other in before(run.config, name) if STAGES[other].sharded]
    return found


def _images(stage: Stage, run: Run, data: Data) -> int:
    if stage.name in _of_both_splits(run):
        return data.train + data.val
    return {"train": data.train, "val": data.val}[stage.split]


def _files(stage: Stage, run: Run, data: Data) -> int:
    jobs = run.config.cams.shards * (2 if stage.name in _of_both_splits(run) else 1)
    return _images(stage, run, data) if stage.shards == "LabelShard" else jobs


def _crf(section: Any, data: Data) -> float:
    settings = getattr(section, "crf", section)
    if not (iterations := getattr(settings, "iterations", 0)):
        return 0.0
    labels = CRF_OF_21 * (data.classes + 1) / 21 if settings is not section else 1
    fields = 2 if hasattr(section, "fg_threshold") else 1
    return fields * labels * data.pixels / CRF_PIXELS * (CRF + (iterations - 1) * CRF_STEP)


def _load(stage: Stage, section: Any, data: Data) -> float:
    """Seconds of a core to load an image, and for masks to refine it by the CRF."""
    if stage.kind == "training":
        keys = getattr(section, "augmentation", None)
        area = keys.crop**2 / CROP_PIXELS if keys else data.pixels / CROP_PIXELS
        return area * (LOAD + sum(LOAD_COLOR[name] for name in getattr(keys, "color", ())))
    scales = sum(scale**2 for scale in getattr(section, "scales", (1.0,)))
    return scales * data.pixels / 1e6 * LOAD_SCALE + _crf(section, data)


def _bytes(stage: Stage, section: Any, data: Data) -> float:
    if stage.shards == "LabelShard":
        return (LABELS if stage.kind == "labels" else GRAY) * data.pixels
    maps = 1 if stage.shards == "ActivationShard" else MAPS
    scales = sum(scale**2 for scale in section.scales) / 16**2 if hasattr(section, "scales") else 1 / 4**2
    return maps * 4 * scales * data.pixels
