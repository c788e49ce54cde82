"""How weights change: parameter groups, decay, accumulation, clipping, the gradient scaler, the average."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.training import ToyClassifier, micro_step, settings, trainer_of
from torch import Tensor, nn

from wsss.config import OptimizationConfig
from wsss.errors import UserError
from wsss.models import Classifier
from wsss.training import optim
from wsss.training.ema import MovingAverage
from wsss.training.network_optimizer import NetworkOptimizer
from wsss.training.task import Batch, Objective, StepInfo, Task, Trainable
from wsss.training.trainer import Trainer

CPU = torch.device("cpu")


pytestmark = pytest.mark.usefixtures("here")


def optimisation(**values: Any) -> OptimizationConfig:
    return OptimizationConfig.model_validate({"batch": 4, "epochs": 1, "lr": 0.1, **values})


# ---- groups and rates --------------------------------------------------------------------------------------


def test_groups_have_the_published_rates() -> None:
    network = Classifier("resnet10t", 3)
    network.extra = nn.Linear(2, 2)  # a fresh layer with a bias
    groups = optim.parameter_groups(network, [network.classifier, network.extra], optimisation())
    found = {round(group["lr"], 10): group for group in groups}
    assert set(found) == {0.1, 0.2, 1.0, 2.0}
    assert {rate: group["weight_decay"] for rate, group in found.items()} == {
        0.1: 1e-4,
        0.2: 0,
        1.0: 1e-4,
        2.0: 0,
    }
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    of_rate = {rate: [names[id(p)] for p in group["params"]] for rate, group in found.items()}
    assert sorted(of_rate[1.0]) == ["classifier.weight", "extra.weight"]
    assert of_rate[2.0] == ["extra.bias"]
    assert all("backbone" in name and "weight" in name for name in of_rate[0.1])
    assert all("backbone" in name and "bias" in name for name in of_rate[0.2])
    # the scale of a norm is a weight and decays, its shift is a bias and does not
    assert any("bn1.weight" in name for name in of_rate[0.1])
    assert any("bn1.bias" in name for name in of_rate[0.2])
    assert sum(map(len, of_rate.values())) == len(names)


def test_multipliers_can_be_set() -> None:
    network = ToyClassifier()
    asked = optimisation(head_lr_mult=3, bias_lr_mult=5, weight_decay=0.02, lr=1)
    groups = optim.parameter_groups(network, network.head_modules(), asked, lr_mult=0.5)
    assert sorted((group["lr"], group["weight_decay"]) for group in groups) == [
        (0.5, 0.02),
        (1.5, 0.02),
        (2.5, 0),
    ]


def test_frozen_parameters_are_in_no_group() -> None:
    network = ToyClassifier(norm="fix")
    groups = optim.parameter_groups(network, network.head_modules(), optimisation())
    count = sum(len(group["params"]) for group in groups)
    assert count == len(list(network.parameters())) - 2


def test_optimizers() -> None:
    groups = optim.parameter_groups(ToyClassifier(), [], optimisation())
    sgd = optim.make_optimizer(groups, optimisation(optimizer="sgd"))
    assert isinstance(sgd, torch.optim.SGD)
    assert all(group["momentum"] == 0 and not group["nesterov"] for group in sgd.param_groups)
    groups = optim.parameter_groups(ToyClassifier(), [], optimisation())
    momentum = optim.make_optimizer(groups, optimisation(optimizer="momentum"))
    assert all(group["momentum"] == 0.9 and group["nesterov"] for group in momentum.param_groups)
    groups = optim.parameter_groups(ToyClassifier(), [], optimisation())
    assert isinstance(optim.make_optimizer(groups, optimisation(optimizer="adamw")), torch.optim.AdamW)


def test_poly_is_the_published_schedule(shared: Path) -> None:
    published = np.load(shared / "golden" / "functions.npz")["poly_lr"]
    groups = optim.parameter_groups(ToyClassifier(), [], optimisation(bias_lr_mult=2))
    optimizer = optim.make_optimizer(groups, optimisation())
    rates = []
    for step in range(len(published)):
        optim.decay(optimizer, optim.poly(step, 10, 0.9))
        rates.append([group["lr"] for group in optimizer.param_groups])
    np.testing.assert_allclose(np.array(rates) / [1, 2], np.stack([published] * 2, 1), rtol=1e-6)


def test_poly_ends_and_can_be_flat() -> None:
    assert optim.poly(0, 10, 0.9) == 1
    assert optim.poly(10, 10, 0.9) == optim.poly(11, 10, 0.9) == 0
    assert [optim.poly(step, 10, 0) for step in range(10)] == [1] * 10


# ---- a step of one network ---------------------------------------------------------------------------------


class Line(nn.Module):
    """y = weight · x: all about it can be computed by hand."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))


def optimizer_of(
    network: nn.Module, *, steps: int = 4, clip: float | None = None, **values: Any
) -> NetworkOptimizer:
    values = {"weight_decay": 0.0, **values}
    return NetworkOptimizer(Trainable(network, [], max_grad_norm=clip), optimisation(**values), steps, CPU)


def test_sgd_step_by_hand() -> None:
    line = Line(2.0)
    optimizer = optimizer_of(line, weight_decay=0.5)
    expected = 2.0
    for step in range(4):
        (3 * line.weight).backward()
        assert optimizer.has_gradient
        assert optimizer.step()
        assert not optimizer.has_gradient
        rate = 0.1 * (1 - step / 4) ** 0.9
        expected -= rate * (3 + 0.5 * expected)
        assert optimizer.lr == pytest.approx(rate)
        assert float(line.weight.detach()) == pytest.approx(expected)
    assert optimizer.steps_done == 4


@pytest.mark.parametrize(("clip", "moved"), [(None, 3.0), (10.0, 3.0), (1.5, 1.5)])
def test_clipping(clip: float | None, moved: float) -> None:
    line = Line(0.0)
    optimizer = optimizer_of(line, clip=clip, lr=1.0)
    (3 * line.weight).backward()
    optimizer.step()
    assert float(line.weight.detach()) == pytest.approx(-moved, rel=1e-5)


class FakeScaler:
    """A gradient scaler that finds what it is told to find."""

    def __init__(self, finds: list[bool]) -> None:
        self.finds, self.factor, self.updated = finds, 8.0, 0

    def get_scale(self) -> float:
        """The factor."""
        return self.factor

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Step unless something is not finite."""
        if not self.finds[0]:
            optimizer.step()

    def update(self) -> None:
        """Halve the factor where a step was skipped."""
        self.factor *= 0.5 if self.finds.pop(0) else 2.0


def test_a_skipped_step_does_not_count() -> None:
    line = Line(0.0)
    optimizer = optimizer_of(line, lr=1.0, poly_power=1.0)
    optimizer.scaler = FakeScaler([False, True, False])  # type: ignore[assignment]
    weights, done, counted = [], [], []
    for _ in range(3):
        line.weight.grad = torch.tensor(1.0)
        counted.append(optimizer.step())
        weights.append(float(line.weight.detach()))
        done.append(optimizer.steps_done)
        assert not optimizer.has_gradient
    assert counted == [True, False, True]
    assert done == [1, 1, 2]
    # the second step that counts is taken with the rate of step 1 of 4
    assert weights == pytest.approx([-1.0, -1.0, -1.75])


def test_the_real_scaler_skips_gradients_that_are_not_finite() -> None:
    line = Line(0.0)
    optimizer = optimizer_of(line, lr=1.0, precision="fp16", clip=1.0)
    scale = optimizer.scaler.get_scale()
    optimizer.scaler.scale(line.weight * float("inf")).backward()
    assert not optimizer.step()
    assert optimizer.steps_done == 0 and float(line.weight.detach()) == 0
    assert optimizer.scaler.get_scale() == scale / 2
    optimizer.scaler.scale(line.weight * 0.25).backward()
    assert optimizer.step()
    assert float(line.weight.detach()) == pytest.approx(-0.25)


def test_an_optimizer_resumes_from_its_state() -> None:
    def steps(optimizer: NetworkOptimizer, count: int) -> None:
        for _ in range(count):
            (optimizer.network.weight**2).backward()  # type: ignore[operator]
            optimizer.step()

    straight = optimizer_of(Line(3.0), optimizer="momentum")
    steps(straight, 4)
    first = optimizer_of(Line(3.0), optimizer="momentum")
    steps(first, 2)
    second = optimizer_of(Line(-1.0), optimizer="momentum")
    second.load_state_dict(first.state_dict())
    steps(second, 2)
    assert torch.equal(second.network.weight, straight.network.weight)  # type: ignore[arg-type]
    assert second.steps_done == 4


# ---- accumulation and average ------------------------------------------------------------------------------


class Fit(Task):
    """A line through the batch: the loss is the mean of weight · x, so the gradient is the mean of x."""

    def __init__(self) -> None:
        self.line = Line(0.0)
        self.trainables = {"generator": Trainable(self.line, [])}

    def objectives(self, batch: Batch, info: StepInfo) -> Any:
        """One term."""
        objective = Objective("generator")
        objective.add("fit", (self.line.weight * batch["image"]).mean())
        yield objective


def batch_of(values: list[float]) -> Batch:
    numbers = torch.tensor(values)
    return {"image": numbers, "label": numbers, "draw": numbers, "id": [str(value) for value in values]}


def fit(parts: list[list[float]], **values: Any) -> tuple[Trainer, list[float]]:
    """The trainer after one epoch of these batches, and the weight after each."""
    trainer = trainer_of(Fit(), optimisation(weight_decay=0, lr=1.0, poly_power=0, **values), len(parts))
    line: Any = trainer.state.optimizers["generator"].network
    weights = []
    for part in parts:
        micro_step(trainer, batch_of(part))
        weights.append(float(line.weight.detach()))
    return trainer, weights


def test_accumulation() -> None:
    whole = fit([[1, 2, 3, 6]])[1]
    assert whole == pytest.approx([-3])
    mean = fit([[1, 2], [3, 6]], accumulate=2, reduction="mean")[1]
    assert mean == pytest.approx([0, -3])
    published = fit([[1, 2], [3, 6]], accumulate=2, reduction="sum")[1]
    assert published == pytest.approx([0, -6])


def test_leftover_micro_steps_update_nothing() -> None:
    trainer, weights = fit([[1], [1], [1]], accumulate=2)
    assert weights == pytest.approx([0, -2, -2])
    optimizer = trainer.state.optimizers["generator"]
    assert optimizer.steps_done == optimizer.steps == trainer.state.optimizer_steps == 1
    assert not trainer.state.can_checkpoint


def test_a_loss_that_is_not_finite_changes_nothing() -> None:
    trainer, _ = fit([[1, 1]], epochs=2)
    network: Any = trainer.state.optimizers["generator"].network
    with pytest.raises(UserError, match=r"toy: the loss of the generator is not finite \(fit nan\)"):
        micro_step(trainer, batch_of([1, float("nan")]))
    assert float(network.weight.detach()) == -1
    assert trainer.state.not_finite() is None
    with torch.no_grad():
        network.weight.fill_(float("inf"))
    assert trainer.state.not_finite() == "weight of the generator"


def test_average_by_hand() -> None:
    line = nn.BatchNorm1d(1)
    average = MovingAverage(line, decay=0.6, every=2, warmup=3)
    weights = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0]
    seen = []
    for step, weight in enumerate(weights, 1):
        with torch.no_grad():
            line.weight.fill_(weight)
            line.running_mean.fill_(weight)  # type: ignore[union-attr]
        average.update(line, step)
        seen.append([float(average.network.weight), float(average.network.running_mean)])  # type: ignore[arg-type]
    # a copy at step 2; then d = 1/2, and 0.6 where 1 - 1/(1+n) is more; buffers are copied
    four = 0.5 * 20 + 0.5 * 40
    six = 0.6 * four + 0.4 * 60
    eight = 0.6 * six + 0.4 * 80
    ten = 0.6 * eight + 0.4 * 100
    expected = [1, 20, 20, four, four, six, six, eight, eight, ten]
    np.testing.assert_allclose([value for value, _ in seen], expected, rtol=1e-6)
    assert [value for _, value in seen] == [0, 20, 20, 40, 40, 60, 60, 80, 80, 100]


def test_average_is_a_network_of_its_own() -> None:
    network = ToyClassifier(norm="fix")
    average = MovingAverage(network, decay=0.5, every=1, warmup=0)
    ours = {tensor.data_ptr() for tensor in network.state_dict().values()}
    assert not ours & {tensor.data_ptr() for tensor in average.network.state_dict().values()}
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    assert not average.network.training and not average.network.train().body[1].training  # type: ignore[index]
    with torch.no_grad():
        network.classifier.weight.add_(1)
    assert not torch.equal(average.network.classifier.weight, network.classifier.weight)  # type: ignore[arg-type]


def test_average_resumes_from_its_state() -> None:
    network = Line(0.0)

    def updates(average: MovingAverage, steps: range) -> None:
        for step in steps:
            network.weight.data.fill_(float(step**2))
            average.update(network, step)

    straight = MovingAverage(network, decay=0.9, every=1, warmup=2)
    updates(straight, range(1, 9))
    first = MovingAverage(network, decay=0.9, every=1, warmup=2)
    updates(first, range(1, 5))
    second = MovingAverage(network, decay=0.9, every=1, warmup=2)
    second.load_state_dict(first.state_dict())
    updates(second, range(5, 9))
    assert torch.equal(second.network.weight, straight.network.weight)  # type: ignore[arg-type]


def test_the_average_is_the_result_and_skipped_steps_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    ema = {"decay": 0.5, "every": 1, "warmup_epochs": 0}
    trainer, weights = fit([[4.0]], ema=ema, epochs=3)
    average = trainer.state.average
    assert average is not None
    assert trainer.state.result is average.network and not trainer.state.result.training
    assert float(trainer.state.result.weight) == pytest.approx(-4), "the first update copies"  # type: ignore[arg-type]
    updated: list[int] = []
    monkeypatch.setattr(average.model, "update_parameters", lambda network: updated.append(average.step))
    trainer.state.optimizers["generator"].scaler = type(
        "Skipping",
        (FakeScaler,),
        {"scale": staticmethod(lambda loss: loss)},
    )([True, False])
    micro_step(trainer, batch_of([4.0]))
    micro_step(trainer, batch_of([4.0]))
    assert updated == [2]
    assert weights == [-4]


def test_warm_up_is_counted_in_optimizer_steps() -> None:
    section = settings(optimisation={"ema": {"every": 2, "warmup_epochs": 1.5}, "accumulate": 3})
    average = trainer_of(Fit(), section.optimisation, 12).state.average
    assert average is not None and average.warmup == 6


class Drop(Fit):
    """Notes what dropout keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.masks: list[Tensor] = []

    def objectives(self, batch: Batch, info: StepInfo) -> Any:
        """As Fit's."""
        self.masks.append(torch.dropout(torch.ones(64), 0.5, train=True))
        yield from super().objectives(batch, info)


def test_dropout_depends_on_seed_and_step_only() -> None:
    def masks(seed: int, first: int) -> list[Tensor]:
        task = Drop()
        trainer = trainer_of(task, optimisation(seed=seed, epochs=3), 1)
        trainer.state.step = first
        for _ in range(2):
            torch.rand(5)
            micro_step(trainer, batch_of([1.0]))
        return task.masks

    one, two = masks(seed=0, first=0)
    assert not torch.equal(one, two)
    assert torch.equal(masks(seed=0, first=1)[0], two)
    assert not torch.equal(masks(seed=1, first=0)[0], one)
