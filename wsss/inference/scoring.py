"""From files to files: the scores of CAMs, walks and label maps as stages of a run."""

from collections.abc import Sequence
from pathlib import Path

from wsss.data.stage import read_index
from wsss.evaluation.labels import evaluate_labels, unscored
from wsss.evaluation.scores import CAMS, WALKS, evaluate_scores
from wsss.inference.shards import open_shards
from wsss.progress import LOGGER
from wsss.runs.step import Step
from wsss.store.files import write_csv, write_json
from wsss.store.label_maps import LabelShard

#: by the stage that makes them
KINDS = {"cams": CAMS, "walks": WALKS}


def score_maps(step: Step, stage: str, index: Path, maps: Sequence[Path], out: Path, curve: Path) -> None:
    """Score the CAMs or walks of a split against its masks.

    stage: that made the maps, a name in `KINDS`. index: of the split. maps: all its shards. out: the metrics,
    JSON. curve: those at every threshold, CSV.
    """
    images = read_index(step, index)
    for shard in maps:
        step.require(stage, KINDS[stage].shard(shard).digest, shard)
    result = evaluate_scores(
        maps,
        images,
        thresholds=step.section.thresholds,
        kind=KINDS[stage],
        workers=step.machine.threads,
        progress=step.machine.progress,
    )
    best = f"mIoU {result['miou']:.2f} % at threshold {result['threshold']:.2f}"
    LOGGER.info("%s of %s: %s", KINDS[stage].name, images.split, best)
    write_json(out, {"run": step.run.name, "digest": step.digest, **result})
    write_csv(curve, result["curve"])


def score_labels(step: Step, index: Path, labels: Sequence[Path], out: Path) -> None:
    """Score the label maps that the step's stage has made of a split against the split's masks.

    index: of the split. labels: all its shards. out: the metrics, JSON; of a split without masks it says that
    there are none.
    """
    images = read_index(step, index)
    masked = [record for record in images if record.mask is not None]
    if not masked:
        LOGGER.warning("%s of %s: not scored, for the split has no masks", step.stage, images.split)
        write_json(out, {"run": step.run.name, "digest": step.digest, **unscored(images)})
        return
    shards = open_shards(step, step.stage, LabelShard, labels, masked)
    result = evaluate_labels(shards, images, progress=step.machine.progress)
    LOGGER.info(
        "%s of %s: mIoU %.2f %% on %.1f %% of the pixels",
        *(step.stage, images.split, result["miou"], result["coverage"]),
    )
    write_json(out, {"run": step.run.name, "digest": step.digest, **result})
