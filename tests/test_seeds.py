"""A run with several seeds: what is repeated, and how sure a score and a difference are."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from support.chain import Toy
from support.report import HOME, report_files

from wsss import cli
from wsss.errors import UserError
from wsss.evaluation.image_counts import ImageCounts, read_image_counts
from wsss.metrics import ConfusionMatrix, ThresholdSweep
from wsss.metrics.bootstrap import difference_interval
from wsss.report.chain import write_chain
from wsss.report.seeds import interval
from wsss.runs.run import load_run, repeats, stages
from wsss.store.files import read_json, write_json, write_text


def config(**values: object) -> None:
    """Write the run `x`."""
    write_text(Path("config/x.yaml"), json.dumps({"dataset": {"kind": "shapes"}, **values}))


def test_a_repetition_shares_what_no_seed_changes(here: None) -> None:
    config(seeds=[0, 1])
    own, other = repeats(load_run("x"))
    assert (own.name, other.name) == ("x", "x/seeds/1")
    shared = {stage for stage in stages(other) if other.owner(stage).name == "x"}
    assert shared == {"index"}
    assert other.output("priors") == Path("results/x/seeds/1/models/priors.safetensors")
    assert [run.name for run in repeats(other)] == ["x/seeds/1"], "a repetition is not repeated"
    assert load_run("x/seeds/1").digest("masks") == other.digest("masks")


def test_seeds_change_no_digest(here: None) -> None:
    config()
    before = load_run("x").digest("masks")
    config(seeds=[0, 1, 2])
    assert load_run("x").digest("masks") == before


def test_a_training_keeps_the_seed_that_it_sets(here: None) -> None:
    config(seeds=[0, 1], oc={"optimisation": {"seed": 5}})
    other = repeats(load_run("x"))[1]
    assert other.owner("oc").name == "x" and other.owner("priors").name == "x/seeds/1"


def test_runs_without_masks_have_no_interval(here: None) -> None:
    config()
    write_text(Path("config/y.yaml"), json.dumps({"extends": "x", "priors": {"method": "vanilla"}}))
    runs = [load_run(name) for name in ("x", "y")]
    for run in runs:
        ImageCounts(("background", "a")).write(run.metrics("masks").with_suffix(".images.csv"))
    assert interval(*runs, "masks", ("background", "a")) is None


@pytest.mark.parametrize("seeds", [[1, 2], [0, 0]])
def test_seeds_that_cannot_be(here: None, seeds: list[int]) -> None:
    config(seeds=seeds)
    with pytest.raises(UserError, match=r"x\.yaml:1: seeds = "):
        load_run("x")


def test_counts_of_images_are_those_of_their_confusion_matrices() -> None:
    generator = np.random.default_rng(0)
    sweep = ThresholdSweep(4, [0.7, 0.2, 0.5])
    for keys in ([0, 2, 3], [0, 1], [0]):
        mask = generator.choice([0, 1, 2, 3, 255], size=(9, 7)).astype(np.uint8)
        one = ThresholdSweep(4, sweep.thresholds)
        counts = one.update(generator.random((len(keys) - 1, 9, 7)).astype(np.float32), keys, mask)
        for i in range(3):
            matrix = one.confusion(i).counts
            assert np.array_equal(counts[:, i], [np.diag(matrix), matrix.sum(0), matrix.sum(1)])


def test_counts_are_read_as_they_were_written(tmp_path: Path) -> None:
    images, confusion = ImageCounts(("background", "a,b", "c")), ConfusionMatrix(3)
    confusion.update(np.array([[0, 1], [1, 1]]), np.array([[0, 0], [1, 255]]))
    images.add_labels("x", confusion)
    images.write(tmp_path / "counts.csv")
    read = read_image_counts(tmp_path / "counts.csv", images.classes)
    assert read.array().tolist() == images.array().tolist() == [[[1, 1, 0], [1, 2, 0], [2, 1, 0]]]
    with pytest.raises(UserError, match=r"counts\.csv: not pixel counts"):
        read_image_counts(tmp_path / "counts.csv", ("background", "c"))


def drawn(rate: float, *, images: int = 200, seed: int = 0) -> np.ndarray:
    """Counts of images whose IoU of both classes is about `rate`."""
    hits = np.random.default_rng(seed).normal(rate, 0.1, (images, 2)).clip(0, 1) * 1000
    whole = np.full((images, 2), 1000)
    return np.stack([hits.astype(int), hits.astype(int), whole], axis=1)


def test_the_interval_holds_the_difference_and_narrows_with_images() -> None:
    low, high = difference_interval([drawn(0.5)], [drawn(0.6, seed=1)])
    assert 0.05 < low < 0.1 < high < 0.15
    few = difference_interval([drawn(0.5, images=20)], [drawn(0.6, images=20, seed=1)])
    assert few[1] - few[0] > 2 * (high - low)
    # of the same images, what both have in common does not widen it
    same = drawn(0.5)
    assert difference_interval([same], [same]) == (0, 0)


def test_the_interval_covers_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(100):
        low, high = difference_interval(
            [drawn(0.5, images=60, seed=2 * seed)], [drawn(0.5, images=60, seed=2 * seed + 1)], samples=400
        )
        covered += low <= 0 <= high
    assert 88 <= covered <= 99


def test_seeds_that_differ_widen_the_interval() -> None:
    alike = difference_interval([drawn(0.5), drawn(0.5, seed=1)], [drawn(0.6, seed=2), drawn(0.6, seed=3)])
    apart = difference_interval([drawn(0.4), drawn(0.6, seed=1)], [drawn(0.5, seed=2), drawn(0.7, seed=3)])
    assert apart[1] - apart[0] > 3 * (alike[1] - alike[0])


def test_table_and_comparison_have_mean_spread_and_interval(
    toy: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    report_files(toy)
    values = json.loads(Path("config/toy.yaml").read_text(encoding="utf-8"))
    write_text(Path("config/toy.yaml"), json.dumps({**values, "seeds": [0, 1]}))
    write_text(Path("config/other.yaml"), json.dumps({"extends": "toy", "priors": {"method": "vanilla"}}))
    run, other = load_run("toy"), load_run("other")
    repeat = repeats(run)[1]
    scores = read_json(HOME / "metrics" / "masks.val.json")
    counts = ImageCounts(tuple(scores["iou"]))
    for number in range(8):
        counts.add(f"image-{number}", np.full((3, len(counts.classes)), 50 + number))
    for points, owner in ((0, run), (2, repeat), (4, other)):
        path = owner.metrics("masks")
        write_json(path, scores | {"miou": scores["miou"] + points, "digest": owner.digest("masks")})
        counts.write(path.with_suffix(".images.csv"))
    write_chain(HOME / "metrics" / "chain.csv", run, [run.metrics("masks")])
    with open(HOME / "metrics" / "chain.csv", newline="", encoding="utf-8") as file:
        masks = {row["stage"]: row for row in csv.DictReader(file)}["masks"]
    assert (masks["seeds"], masks["sd"]) == ("2", "1.41")
    assert float(masks["mean"]) == pytest.approx(scores["miou"] + 1, abs=0.006)
    assert cli.main(["compare", "toy", "other"]) == 0
    said = capsys.readouterr().out
    assert "± 1.41" in said
    assert "other - toy, masks: +3.00, 95 % interval [+0.00, +0.00] holds 0" in said
    assert "holds 0" in Path("results/compare/toy+other.html").read_text(encoding="utf-8")
