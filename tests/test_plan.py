"""The plan of a run: what its stages take of GPUs, computed; and in the docs as the command prints it."""

import json
from pathlib import Path

import pytest

from wsss import cli
from wsss.errors import UserError
from wsss.plan.cards import CARDS, Card, card
from wsss.plan.costs import Costs
from wsss.plan.figures import NETWORKS, SHIPPED, Asked, computed
from wsss.plan.stage_plans import StagePlan, plans
from wsss.plan.table import notes, table
from wsss.runs.run import Run, load_run, stages
from wsss.runs.stages import STAGES

#: the GPU and the number of them that docs/costs.md shows
SHOWN = {"voc12": ("h100", 4), "voc12-h100": ("h100", 4), "voc12-24gb": ("4090", 1)}


@pytest.fixture(scope="module")
def shipped(repository: Path) -> dict[str, Run]:
    """The runs that the docs plan."""
    return {name: load_run(name, repository / "config") for name in (*SHOWN, "voc12-vanilla")}


def by_stage(run: Run, gpu: str, gpus: int = 1) -> dict[str, StagePlan]:
    """Plans by stage."""
    return {plan.stage: plan for plan in plans(run, card(gpu), gpus)}


@pytest.mark.parametrize("name", SHOWN)
def test_the_documentation_shows_the_plan(repository: Path, shipped: dict[str, Run], name: str) -> None:
    text = (repository / "docs" / "costs.md").read_text(encoding="utf-8")
    gpu, gpus = SHOWN[name]
    command = f"wsss plan {name} --gpu {gpu} --gpus {gpus}"
    assert command in text
    assert table(plans(shipped[name], card(gpu), gpus), card(gpu)) in text, f"put in what `{command}` prints"


def test_every_stage_is_planned(shipped: dict[str, Run]) -> None:
    run = shipped["voc12"]
    expected = [name for name in stages(run) if STAGES[name].kind in ("training", "maps", "labels")]
    planned = plans(run, card("h100"))
    assert [plan.stage for plan in planned] == expected
    for plan in planned:
        stage = STAGES[plan.stage]
        assert plan.on_gpu == (stage.gpu or stage.kind == "training") and plan.files > 0 and plan.size > 0


def test_what_does_not_fit_is_halved(shipped: dict[str, Run]) -> None:
    large, small = (by_stage(shipped["voc12-h100"], gpu) for gpu in ("h100", "4090"))
    assert large["oc"].fits == large["oc"].batch == 32
    assert small["oc"].batch == 32 and 2 <= small["oc"].fits < 32
    assert small["oc"].memory > CARDS["4090"].usable and small["oc"].memory == large["oc"].memory


def test_the_runs_for_small_gpus_fit_there(shipped: dict[str, Run]) -> None:
    for plan in plans(shipped["voc12-24gb"], card("4090")):
        assert plan.fits == plan.batch, plan


def test_a_faster_gpu_and_more_of_them_take_less_time(shipped: dict[str, Run]) -> None:
    one, four, slow = (by_stage(shipped["voc12"], *of) for of in (("h100", 1), ("h100", 4), ("v100", 1)))
    for stage, plan in one.items():
        if plan.on_gpu and STAGES[stage].kind == "training" and plan.batch > 1:
            assert four[stage].hours < plan.hours < slow[stage].hours, stage


def test_auto_is_what_the_gpu_has(shipped: dict[str, Run]) -> None:
    newer, older = (by_stage(shipped["voc12-h100"], gpu)["oc"].precision for gpu in ("h100", "v100"))
    assert (newer, older) == ("bf16", "fp16")


def test_time_is_the_slower_of_traffic_and_arithmetic() -> None:
    gpu = Card("test", memory=1, bandwidth=10, half=100, single=50)
    assert gpu.seconds(20, {"half": 100}) == 2 and gpu.seconds(20, {"half": 100, "single": 100}) == 3


def test_costs_are_a_line_but_no_less_than_counted() -> None:
    costs = Costs(7, -1, 2, 3, 4, {"half": 5.4}, 6)
    assert [costs.memory(images) for images in (1, 8)] == [7, 15] and costs.traffic(2) == 11
    assert costs.as_json()["flops"] == {"half": 5}


def test_the_command_says_that_nothing_is_measured(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    assert cli.main(["plan", "voc12-24gb", "--gpu", "4090"]) == 0
    printed = capsys.readouterr().out
    assert notes(card("4090"), 1) in printed and "Nothing here was measured on a GPU" in printed
    assert cli.main(["plan", "shapes"]) == 1 and "dataset.kind is shapes" in capsys.readouterr().err
    with pytest.raises(UserError, match="known are h100, a100, 4090, v100"):
        card("b200")


def test_a_figure_is_of_what_it_depends_on(shipped: dict[str, Run]) -> None:
    voc12, h100 = shipped["voc12"].config, shipped["voc12-h100"].config
    asked = [Asked(stage, (375, 500), 20, "half") for stage in ("oc", "priors", "cams", "masks")]
    assert [one.key(voc12) for one in asked] == [one.key(h100) for one in asked], "precision is asked for"
    other = asked[0]._replace(classes=80)
    assert len({one.key(voc12) for one in (*asked, other)}) == 5
    vanilla = shipped["voc12-vanilla"].config
    assert asked[1].key(vanilla) != asked[1].key(voc12) and asked[0].key(vanilla) == asked[0].key(voc12)


@pytest.mark.slow
def test_the_shipped_figures_are_what_is_computed(shipped: dict[str, Run]) -> None:
    """Of a training and an inference: the others follow the same code."""
    known = json.loads(SHIPPED.read_text(encoding="utf-8"))
    run = shipped["voc12"]
    for stage in ("poolnet", "saliency"):
        one = Asked(stage, (375, 500), 20, "float32")
        assert computed(run.config, [one])[one.key(run.config)] == known[one.key(run.config)]
    assert set(NETWORKS) <= set(STAGES)
