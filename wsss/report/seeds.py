"""What a run with several seeds reaches at each stage, and how sure its difference to another run is."""

from collections.abc import Sequence
from pathlib import Path

from wsss.evaluation.image_counts import ImageCounts, read_image_counts
from wsss.metrics.bootstrap import difference_interval
from wsss.report.results import read_metrics, scores_in
from wsss.runs.run import Run, metrics_files, repeats
from wsss.runs.stages import STAGES


def mious_of_seeds(run: Run) -> dict[str, list[float]]:
    """By scored stage, the mIoU in percent with each of the run's seeds, as far as they are measured.

    A stage that no seed changes has one.
    """
    mious: dict[str, dict[Path, float]] = {}
    for repeat in repeats(run):
        files = {stage: path for stage, path in metrics_files(repeat).items() if path.is_file()}
        for stage, scores in scores_in(read_metrics(repeat, files.values())).items():
            current = scores.source.values.get("digest") == repeat.digest(STAGES[stage].scored_by or stage)
            if current and scores.values["miou"] is not None:
                mious.setdefault(stage, {})[repeat.directory(stage)] = scores.values["miou"]
    return {stage: list(by_owner.values()) for stage, by_owner in mious.items()}


def interval(first: Run, second: Run, stage: str, classes: Sequence[str]) -> tuple[float, float] | None:
    """The 95 % interval of the second run's mIoU minus the first's, in points; see `difference_interval`.

    classes: of both, background first. None where the images of one are not counted, or are others than those
    of the other run.
    """
    counted = [_counts(run, stage, classes) for run in (first, second)]
    images = {tuple(sorted(one.of_image)) for seeds in counted for one in seeds}
    if not all(counted) or len(images) != 1 or images == {()}:
        return None
    arrays = [[one.array() for one in seeds] for seeds in counted]
    low, high = difference_interval(arrays[0], arrays[1])
    return 100 * low, 100 * high


def interval_text(bounds: tuple[float, float]) -> str:
    """An interval in words: `[+0.92, +3.31]`, or `[−0.41, +1.20] holds 0`."""
    text = f"[{bounds[0]:+.2f}, {bounds[1]:+.2f}]".replace("-", "\N{MINUS SIGN}")
    return f"{text} holds 0" if bounds[0] <= 0 <= bounds[1] else text


def _counts(run: Run, stage: str, classes: Sequence[str]) -> list[ImageCounts]:
    """Pixel counts of the images, per seed."""
    writer = STAGES[stage].scored_by or stage
    paths = {repeat.metrics(writer).with_suffix(".images.csv"): None for repeat in repeats(run)}
    return [read_image_counts(path, classes) for path in paths if path.is_file()]
