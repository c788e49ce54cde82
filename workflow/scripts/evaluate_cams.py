"""Score the CAMs of a split against its masks, at every background threshold."""

from pathlib import Path

from wsss.data.index import Index
from wsss.data.maps import MapShard
from wsss.files import write_csv, write_json
from wsss.inference.evaluate import evaluate_cams
from wsss.progress import LOGGER
from wsss.step import Step, parser, run_step


def main(step: Step) -> None:
    """Score."""
    given, machine = step.arguments, step.machine
    index = Index.read(given.index)
    step.require("index", index.digest, given.index)
    for shard in given.cams:
        step.require("cams", MapShard(shard).digest, shard)
    result = evaluate_cams(
        given.cams,
        index,
        thresholds=step.section.thresholds,
        workers=machine.threads,
        progress=machine.progress,
    )
    LOGGER.info("CAMs of %s: mIoU %.2f %% at threshold %.2f", index.split, result["miou"], result["threshold"])
    write_json(given.out, {"run": step.run.name, "digest": step.digest, **result})
    write_csv(given.out.with_suffix(".csv"), result["curve"])


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--cams", required=True, type=Path, nargs="+", help="all shards of the split")
    arguments.add_argument("--out", required=True, type=Path, help="metrics, JSON; the curve goes beside as CSV")
    run_step("cams_metrics", main, arguments.parse_args())
