"""Score the saliency of a split against its masks: the C2AM maps, the CRF's masks, PoolNet's maps."""

from wsss.evaluation.saliency import score_saliency
from wsss.inference.shards import evaluation_options, open_shards
from wsss.progress import LOGGER
from wsss.runs.stages import SALIENCY, STAGES
from wsss.runs.step import Step, parser, run_step
from wsss.store.cams import CamShard
from wsss.store.files import write_csv
from wsss.store.shards import SHARDS


def evaluate_saliency(step: Step) -> None:
    """Write the scores of every kind at its best threshold, and the curve over all thresholds."""
    files = step.arguments
    index = step.read_index(files.index)
    open_shards(step, "cams", CamShard, files.cams, index.masked)
    kinds = {kind: shards for kind in SALIENCY if (shards := getattr(files, kind))}
    for kind, shards in kinds.items():
        open_shards(step, SALIENCY[kind], SHARDS[STAGES[SALIENCY[kind]].shards], shards, index.masked)
    running = evaluation_options(step)
    scores = score_saliency(kinds, files.cams, index, thresholds=step.section.thresholds, **running)
    for kind in kinds:
        reached = (scores[kind][key] for key in ("miou", "mae", "f_measure"))
        LOGGER.info("%s: mIoU %.2f %%, MAE %.2f %%, F %.2f %%", kind, *reached)
    step.write_metrics(files.out, {"kinds": list(kinds), **scores})
    write_csv(files.curve, scores["curve"])


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "cams*", *(f"{kind}*" for kind in SALIENCY), "out", "curve")
    run_step("saliency_metrics", evaluate_saliency, arguments.parse_args())
