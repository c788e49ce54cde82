"""From files to files: the scores of CAMs as a stage of a run."""

from collections.abc import Sequence
from pathlib import Path

from wsss.data.index import Index
from wsss.data.maps import MapShard
from wsss.files import write_csv, write_json
from wsss.inference.evaluate import evaluate_cams
from wsss.progress import LOGGER
from wsss.step import Step


def score_cams(step: Step, index: Path, cams: Sequence[Path], out: Path, curve: Path) -> None:
    """Score the CAMs of a split against its masks.

    index: of the split. cams: all its shards. out: the metrics, JSON. curve: those at every threshold, CSV.
    """
    images = Index.read(index)
    step.require("index", images.digest, index)
    for shard in cams:
        step.require("cams", MapShard(shard).digest, shard)
    result = evaluate_cams(
        cams,
        images,
        thresholds=step.section.thresholds,
        workers=step.machine.threads,
        progress=step.machine.progress,
    )
    best = f"mIoU {result['miou']:.2f} % at threshold {result['threshold']:.2f}"
    LOGGER.info("CAMs of %s: %s", images.split, best)
    write_json(out, {"run": step.run.name, "digest": step.digest, **result})
    write_csv(curve, result["curve"])
