"""The five trainings of the priors: which losses, for which network, when; and which class is erased."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from support.training import CLASSES, SIDE, ToyClassifier, ToyImages, micro_step, settings, trainer_of
from torch import Tensor

from wsss import losses
from wsss.config import ErasingConfig, PriorsConfig
from wsss.machine import distributed
from wsss.models import Classifier, load_published
from wsss.training.erasure import ErasureChoice
from wsss.training.task import Batch, Objective, StepInfo
from wsss.training.tasks import PRIOR_TASKS, Pnoc, PriorTask
from wsss.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("here")


# ---- the published step ------------------------------------------------------------------------------------

#: the published code's names of what we call …
NAMES = {
    "c_loss": "classification",
    "p_loss": "tiles",
    "re_loss": "reconstruction",
    "o_loss": "erasing",
}


class GoldenStep:
    """One P-NOC step on ResNeSt-50, with the gradients that each objective leaves."""

    def __init__(self, golden: Path, fill: ModuleType) -> None:
        self.published = json.loads((golden / "pnoc_step.json").read_text())
        shapes = json.loads((golden / "classifier_resnest50.json").read_text())["state_dict"]
        self.filled = {key: fill.filled(key, shape) for key, shape in shapes.items()}
        self.section = PriorsConfig.model_validate(
            {
                "method": "pnoc",
                "label_smoothing": self.published["label_smoothing"],
                # halfway through the training the ramps must give the published step's weights
                "puzzle": {"weight": self.published["lambda_re"]},
                "erasing": {"weight_from": 0.3, "weight": 1.0},
                "noc": {"weight": 1.0, "threshold": self.published["delta_noc"]},
            }
        )
        images, _, height, width = self.published["batch"]
        label = torch.zeros(images, 20)
        for row, channels in enumerate(self.published["labels"]):
            label[row, channels] = 1
        self.batch: Batch = {
            "image": fill.image_batch(self.published["image_seed"], images, height, width),
            "label": label,
            "draw": torch.tensor([0.3, 0.6]),
            "id": ["a", "b"],
        }
        self.generator, self.oc = self.network("normal"), self.network("fix")

    def network(self, norm: Any) -> Classifier:
        """A filled network in training mode."""
        with torch.device("meta"):
            network = Classifier("resnest50d", 20, norm=norm)
        network = network.to_empty(device="cpu")
        load_published(network, self.filled)
        return network.train()

    def objectives(self, section: PriorsConfig | None = None) -> Iterator[Objective]:
        """The objectives, each back-propagated before the next."""
        for network in (self.generator, self.oc):
            network.zero_grad(set_to_none=True)
        task = Pnoc(self.generator, section or self.section, self.oc)
        for objective in task.objectives(self.batch, StepInfo(step=10, steps=20, optimizer_step=5)):
            objective.total.backward()
            yield objective

    def values(self) -> dict[str, float]:
        """Our losses and gradient norms, by their published names."""
        generator, oc = self.objectives()
        losses = {name: generator.terms[ours] for name, ours in NAMES.items()}
        losses |= {"loss": generator.total, "ot_loss": oc.total}
        gradients = {
            "stage5.0.2.conv3.weight": self.generator.backbone.net.layer4[2].conv3.weight.grad,
            "classifier.weight": self.generator.classifier.weight.grad,
        }
        norms = {name: gradient.norm() for name, gradient in gradients.items()}
        return {name: float(value.detach()) for name, value in (losses | norms).items()}

    @property
    def oc_gradients(self) -> int:
        """How many parameters of the OC hold a gradient."""
        return sum(parameter.grad is not None for parameter in self.oc.parameters())


@pytest.fixture(scope="module")
def golden_step(shared: Path, fill: ModuleType) -> GoldenStep:
    return GoldenStep(shared / "golden", fill)


def test_pnoc_step_is_the_published_one(golden_step: GoldenStep) -> None:
    """Two images of 64 px condition it badly: split attention normalizes over two pooled values, which turns
    rounding into differences of up to 3 % (float64 has a c_loss of 0.7102). So the values can be met only
    with the order of sums that they were made with, which is that of two threads.
    """
    published = golden_step.published["values"] | golden_step.published["generator_grad_norms"]
    for threads in (2, 1, 4):
        torch.set_num_threads(threads)
        ours = golden_step.values()
        if ours == pytest.approx(published, rel=1e-4):
            return
    assert ours == pytest.approx(published, rel=0.03)
    pytest.xfail(f"within the rounding of another CPU, not within 1e-4: {ours}")


def test_pnoc_step_has_the_published_parts(golden_step: GoldenStep) -> None:
    steps = golden_step.objectives()
    generator = next(steps)
    assert generator.network == "generator"
    asked = {"classification": 1.0, "tiles": 1.0}
    asked |= {
        "reconstruction": golden_step.published["lambda_re"],
        "erasing": golden_step.published["lambda_cse"],
    }
    assert generator.weights == pytest.approx(asked)
    assert golden_step.oc_gradients == 0
    oc = next(steps)
    assert oc.network == "oc" and oc.weights == {"noc": golden_step.published["lambda_noc"]}
    assert golden_step.oc_gradients > 0
    assert next(steps, None) is None


def test_the_published_leak_can_be_had(golden_step: GoldenStep) -> None:
    leak = golden_step.section.noc.model_copy(update={"oc_gradient": "published"})
    honest = float(next(golden_step.objectives()).total.detach())
    leaking = next(golden_step.objectives(golden_step.section.model_copy(update={"noc": leak})))
    # so many were counted in the published code
    assert golden_step.oc_gradients == 120
    assert float(leaking.total.detach()) == honest


# ---- the methods -------------------------------------------------------------------------------------------


def task_of(method: str, *, oc_norm: str = "fix", **blocks: Any) -> PriorTask:
    """A task over toy networks."""
    section = settings(method, **blocks)
    oc = ToyClassifier(norm=oc_norm, seed=1) if section.uses_oc else None
    return PRIOR_TASKS[section.method](ToyClassifier(), section, oc)  # type: ignore[arg-type]


def toy_batch(size: int = 4, epoch: int = 0) -> Batch:
    """The first images."""
    batch: Any = torch.utils.data.default_collate([ToyImages()[epoch, i] for i in range(size)])
    return batch


def prior_trainer(task: PriorTask, per_epoch: int = 4, **optimisation: Any) -> Trainer:
    section = settings(task.settings.method, optimisation=optimisation)
    return trainer_of(task, section.optimisation, per_epoch)


@pytest.mark.parametrize(
    ("method", "generator", "networks"),
    [
        ("vanilla", ["classification"], ["generator"]),
        ("puzzle", ["classification", "tiles", "reconstruction"], ["generator"]),
        ("occse", ["classification", "erasing"], ["generator"]),
        ("poc", ["classification", "tiles", "reconstruction", "erasing"], ["generator"]),
        ("pnoc", ["classification", "tiles", "reconstruction", "erasing"], ["generator", "oc"]),
    ],
)
def test_each_method_has_its_terms(method: str, generator: list[str], networks: list[str]) -> None:
    task = task_of(method)
    objectives = list(task.objectives(toy_batch(), StepInfo(0, 10, 0)))
    assert [objective.network for objective in objectives] == list(task.trainables) == networks
    assert list(objectives[0].terms) == generator
    assert [list(objective.terms) for objective in objectives[1:]] == [["noc"]] * (method == "pnoc")
    assert task.result == "generator"


@pytest.mark.parametrize("method", ["vanilla", "puzzle", "occse", "pnoc"])
def test_an_oc_is_there_where_it_is_needed_and_only_there(method: str) -> None:
    section = settings(method)
    oc: Any = None if section.uses_oc else ToyClassifier()
    with pytest.raises(ValueError, match=f"method {method} (needs an|does not use an) ordinary classifier"):
        PRIOR_TASKS[section.method](ToyClassifier(), section, oc)  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "learns"), [("occse", False), ("poc", False), ("pnoc", True)])
@pytest.mark.parametrize("oc_norm", ["fix", "normal"])
def test_only_pnoc_trains_the_oc(method: str, learns: bool, oc_norm: str) -> None:
    task = task_of(method, oc_norm=oc_norm)
    assert task.oc is not None
    trainer = prior_trainer(task)
    before = {name: value.clone() for name, value in task.oc.state_dict().items()}
    for epoch in range(3):
        micro_step(trainer, toy_batch(epoch=epoch))
    same = {name: torch.equal(value, before[name]) for name, value in task.oc.state_dict().items()}
    assert same["classifier.weight"] == same["body.0.weight"] == (not learns)
    assert same["body.1.running_mean"] == (not learns or oc_norm == "fix")
    assert same["body.1.weight"] == (not learns or oc_norm == "fix")
    assert not trainer.state.optimizers["generator"].has_gradient
    assert all(parameter.grad is None for parameter in task.oc.parameters())


@pytest.mark.parametrize("mask", ["hard", "soft"])
def test_the_oc_sees_what_the_map_left_visible(mask: str) -> None:
    task = task_of("pnoc", noc={"mask": mask, "threshold": 0.4})
    assert task.oc is not None
    seen: list[tuple[bool, Tensor]] = []
    task.oc.register_forward_hook(
        lambda module, inputs, _: seen.append((module.training, inputs[0].detach()))
    )
    batch = toy_batch()
    task.trainables["generator"].network.eval()
    generator, oc = task.objectives(batch, StepInfo(1, 2, 1))
    forward = task.forward(batch, StepInfo(1, 2, 1))
    # drawn by the images' own numbers, as `random` does
    chosen = torch.tensor(
        [
            np.flatnonzero(label)[int(number * label.sum())]
            for label, number in zip(batch["label"].numpy(), batch["draw"].numpy(), strict=True)
        ]
    )
    assert forward.erased_class is not None and torch.equal(forward.erased_class, chosen)
    maps = torch.relu(forward.cams[torch.arange(4), chosen])[:, None]
    evidence = torch.nn.functional.interpolate(maps, (SIDE, SIDE), mode="bilinear").detach()
    soft = batch["image"] * (1 - evidence / (evidence.max() + 1e-5))
    own = evidence / (evidence.amax((1, 2, 3), keepdim=True) + 1e-5)
    hard = batch["image"] * (own <= 0.4)
    assert 0 < (hard == 0).float().mean() < 1
    assert [training for training, _ in seen] == [False, True]
    torch.testing.assert_close(seen[0][1], soft)
    torch.testing.assert_close(seen[1][1], hard if mask == "hard" else soft)
    # the generator's target is without the erased class, the OC's has all classes
    rest = batch["label"].scatter(1, chosen[:, None], 0.0)
    task.oc.eval()
    torch.testing.assert_close(
        generator.terms["erasing"], losses.classification_loss(task.oc(soft), rest * 0.9 + 0.05)
    )
    assert oc.terms["noc"].requires_grad and generator.terms["erasing"].requires_grad


def test_the_soft_mask_can_be_each_images_own() -> None:
    batch, info = toy_batch(), StepInfo(0, 2, 0)
    peaks = []
    for normalize in ("batch", "image"):
        task = task_of("occse", erasing={"normalize": normalize})
        task.trainables["generator"].network.eval()
        forward = task.forward(batch, info)
        assert forward.erased_class is not None
        erased = task.erase(forward, forward.erased_class)
        mask = 1 - erased.images / batch["image"]
        shown = erased.evidence.amax((1, 2, 3)) > 0
        peaks.append(mask.amax((1, 2, 3))[shown].detach())
    assert len(peaks[0]) > 1
    assert (peaks[0] > 0.99).sum() == 1
    assert (peaks[1] > 0.99).all()


def test_mixed_precision_terms_are_float32() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        objectives = list(task_of("pnoc").objectives(toy_batch(), StepInfo(0, 4, 0)))
    assert {term.dtype for objective in objectives for term in objective.terms.values()} == {torch.float32}


def test_ramps_follow_micro_steps() -> None:
    task = task_of("pnoc")
    weights = []
    for step in (0, 10, 20, 40):
        generator, oc = task.objectives(toy_batch(), StepInfo(step, 40, step // 2))
        weights.append([generator.weights["reconstruction"], generator.weights["erasing"], oc.weights["noc"]])
    np.testing.assert_allclose(weights, [[0, 0.3, 0], [2, 0.475, 0.25], [4, 0.65, 0.5], [4, 1, 1]])


# ---- which network is updated when -------------------------------------------------------------------------


def test_the_oc_is_updated_in_every_second_optimizer_step() -> None:
    task = task_of("pnoc", noc={"every": 2})
    trainer = prior_trainer(task, per_epoch=12, epochs=1, accumulate=3)
    updated, done, rates = [], [], []
    for _ in range(12):
        updated.append("noc" in micro_step(trainer, toy_batch()))
        done.append([trainer.state.optimizers[key].steps_done for key in ("generator", "oc")])
        rates.append(
            round(trainer.state.learning_rates()["lr/oc"] / trainer.state.learning_rates()["lr/generator"], 4)
        )
    assert updated == [True] * 3 + [False] * 3 + [True] * 3 + [False] * 3
    assert done == [[i // 3, (i // 3 + 1) // 2] for i in range(1, 13)]
    # its own decay ends with the training: 2 steps where the generator takes 4
    assert trainer.state.optimizers["oc"].steps == 2 and trainer.state.optimizers["generator"].steps == 4
    assert rates[8] == 1.0


@pytest.mark.parametrize(("leak", "steps"), [("none", [2, 4, 6, 8]), ("published", [2, 6])])
def test_a_leaked_gradient_delays_the_checkpoint(leak: str, steps: list[int]) -> None:
    task = task_of("pnoc", noc={"every": 2, "oc_gradient": leak})
    trainer = prior_trainer(task, per_epoch=8, epochs=1, accumulate=2)
    found = []
    for step in range(1, 9):
        micro_step(trainer, toy_batch())
        if trainer.state.can_checkpoint:
            found.append(step)
    assert found == steps


@pytest.mark.parametrize(("leak", "shared"), [("none", False), ("published", True)])
def test_leaked_gradients_have_the_loss_scale_of_their_network(leak: str, shared: bool) -> None:
    """An overflow in one network halves the loss scales of both, where their gradients add up."""
    task = task_of("pnoc", noc={"oc_gradient": leak})
    trainer = prior_trainer(task, precision="fp16")
    micro_step(trainer, toy_batch())
    generator, oc = (trainer.state.optimizers[key].scaler for key in ("generator", "oc"))
    before = generator.get_scale()
    assert oc.get_scale() == before
    hook = task.generator.classifier.weight.register_hook(lambda gradient: gradient * float("inf"))
    micro_step(trainer, toy_batch())
    hook.remove()
    assert generator.get_scale() == before / 2
    assert oc.get_scale() == (before / 2 if shared else before)
    assert trainer.state.optimizers["generator"].steps_done == 1
    assert trainer.state.optimizers["oc"].steps_done == 2


# ---- Puzzle-CAM's options ----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["feature", "cam"])
@pytest.mark.parametrize("loss", ["l1", "l2"])
@pytest.mark.parametrize("over", ["masking", "selection", "none"])
def test_reconstruction(level: str, loss: str, over: str) -> None:
    task = task_of("puzzle", puzzle={"level": level, "loss": loss, "over": over})
    network: Any = task.trainables["generator"].network
    network.eval()
    batch = toy_batch()
    (objective,) = task.objectives(batch, StepInfo(0, 4, 0))
    images, half = batch["image"], SIDE // 2
    whole = network.forward_cam(images)[1]
    quarters = [
        [network.forward_cam(images[:, :, y : y + half, x : x + half])[1] for x in (0, half)]
        for y in (0, half)
    ]
    merged = torch.cat([torch.cat(row, dim=3) for row in quarters], dim=2)
    if level == "cam":
        whole, merged = (
            maps.relu() / (maps.relu().amax((2, 3), keepdim=True) + 1e-5) for maps in (whole, merged)
        )
    difference = ((whole - merged).abs() if loss == "l1" else (whole - merged) ** 2).mean((2, 3))
    present = batch["label"]
    expected = {
        "masking": (difference * present).mean(),
        "selection": ((difference * present).sum(1) / present.sum(1)).mean(),
        "none": difference.mean(),
    }[over]
    torch.testing.assert_close(objective.terms["reconstruction"], expected)


@pytest.mark.parametrize("pieces", [4, 16])
def test_number_of_pieces(pieces: int) -> None:
    task = task_of("puzzle", puzzle={"pieces": pieces})
    sizes = []
    hook = task.trainables["generator"].network.classifier.register_forward_hook(  # type: ignore[union-attr]
        lambda _, inputs, __: sizes.append(tuple(inputs[0].shape))
    )
    list(task.objectives(toy_batch(), StepInfo(0, 4, 0)))
    hook.remove()
    side = 4 // int(pieces**0.5)
    assert sizes == [(4, 6, 4, 4), (4 * pieces, 6, side, side)]


@pytest.mark.parametrize(
    "terms", [["reconstruction"], ["tiles", "confidence"], ["confidence", "classification", "tiles"]]
)
def test_terms_can_be_chosen(terms: list[str]) -> None:
    task = task_of("puzzle", puzzle={"terms": terms})
    (objective,) = task.objectives(toy_batch(), StepInfo(0, 4, 0))
    assert set(objective.terms) == set(terms)
    objective.total.backward()


# ---- which class is erased ---------------------------------------------------------------------------------


def choose(choice: ErasureChoice, labels: list[list[float]], draws: list[float]) -> list[int]:
    return choice(torch.tensor(labels), torch.tensor(draws, dtype=torch.float64)).tolist()


def test_random_is_uniform_over_the_present_classes() -> None:
    choice = ErasureChoice(ErasingConfig(choice="random"), 5)
    draws = [(i + 0.5) / 300 for i in range(300)]
    chosen = choose(choice, [[0, 1, 0, 1, 1]] * 300, draws)
    assert np.bincount(chosen, minlength=5).tolist() == [0, 100, 0, 100, 100]
    # the same number draws the same class, whatever came before
    assert choose(choice, [[0, 1, 0, 1, 1]] * 300, draws) == chosen
    assert choose(choice, [[1, 0, 1, 0, 0]] * 2, [0.0, 1 - 2**-53]) == [0, 2]


def test_balanced_evens_out() -> None:
    choice = ErasureChoice(ErasingConfig(choice="balanced"), 3)
    choice.chosen[:] = [400, 1, 1]
    draws = np.random.default_rng(0).random(3000).tolist()
    chosen = choose(choice, [[1, 1, 1]] * 3000, draws)
    assert np.bincount(chosen[:200])[0] < 20
    assert choice.chosen.sum() == 3402
    assert np.ptp(choice.chosen) < 0.1 * choice.chosen.mean()


def test_balanced_draws_in_inverse_proportion() -> None:
    choice = ErasureChoice(ErasingConfig(choice="balanced"), 2)
    choice.chosen[:] = [3, 1]
    assert choose(choice, [[1, 1]], [0.2499]) == [0]
    choice.chosen[:] = [3, 1]
    assert choose(choice, [[1, 1]], [0.2501]) == [1]


def test_least_chosen_takes_turns() -> None:
    choice = ErasureChoice(ErasingConfig(choice="least_chosen"), 4)
    assert choose(choice, [[1, 0, 1, 1]] * 7, [0.9] * 7) == [0, 2, 3, 0, 2, 3, 0]
    assert choose(choice, [[1, 1, 1, 0]] * 3, [0.1] * 3) == [1, 1, 1]
    assert choice.chosen.tolist() == [4, 4, 3, 3]


def test_focal_draws_what_is_hard() -> None:
    choice = ErasureChoice(ErasingConfig(choice="focal", focal_momentum=0.8, focal_gamma=3), 3)
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])
    labels = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    remaining = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    choice.update(labels, remaining, logits)
    p = 1 / (1 + np.exp(-logits.numpy()))
    hit = np.where(remaining.numpy() == 1, p, 1 - p)
    missed = ((1 - hit) ** 3).sum(0)
    expected = [0.8 + 0.2 * missed[0] / 1, 0.8 + 0.2 * missed[1] / 2, 1.0]
    np.testing.assert_allclose(choice.difficulty, expected, rtol=1e-6)
    edge = expected[0] / (expected[0] + expected[2])
    assert choose(choice, [[1, 0, 1]] * 2, [edge - 1e-6, edge + 1e-6]) == [0, 2]


@pytest.mark.parametrize("strategy", ["random", "balanced", "least_chosen"])
def test_other_strategies_ignore_the_logits(strategy: Any) -> None:
    choice = ErasureChoice(ErasingConfig(choice=strategy), 3)
    choice.update(torch.ones(2, 3), torch.ones(2, 3), torch.zeros(2, 3))
    assert choice.difficulty.tolist() == [1, 1, 1]


@pytest.mark.parametrize("strategy", ["random", "balanced", "least_chosen", "focal"])
def test_mixed_labels_give_their_largest(strategy: Any) -> None:
    choice = ErasureChoice(ErasingConfig(choice=strategy), 4)
    mixed = [0.1, 0.4, 0.2, 0.3]
    assert choose(choice, [mixed] * 3, [0.0, 0.5, 0.99]) == [1, 1, 1]
    assert choose(choice, [[0.2, 0.3, 0.6, 0.0]] * 3, [0.0, 0.5, 0.99]) == [2, 2, 2]
    # two that are equal are both present, and no class that is absent is ever drawn
    halves = choose(choice, [[0.0, 0.5, 0.5, 0.0]] * 40, [(i + 0.5) / 40 for i in range(40)])
    assert set(halves) == {1, 2}


class Group:
    """Threads that are to one another what processes are to a training."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, world: int) -> None:
        self.world, self.own = world, threading.local()
        self.barrier, self.parts = threading.Barrier(world), [torch.empty(0)] * world
        monkeypatch.setattr(distributed, "rank", lambda: self.own.rank)
        monkeypatch.setattr(distributed, "gathered", self.gathered)

    def gathered(self, part: Tensor) -> Tensor:
        """The parts of all threads."""
        self.parts[self.own.rank] = part
        self.barrier.wait()
        whole = torch.cat(self.parts)
        self.barrier.wait()
        return whole

    def run(self, work: Callable[[int], Any]) -> list[Any]:
        """What each thread's work gives."""

        def begin(rank: int) -> Any:
            self.own.rank = rank
            return work(rank)

        with ThreadPoolExecutor(self.world) as pool:
            return list(pool.map(begin, range(self.world)))


@pytest.mark.parametrize("strategy", ["random", "balanced", "least_chosen", "focal"])
def test_the_number_of_processes_changes_no_choice(strategy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    labels = torch.from_numpy((rng.random((24, CLASSES)) > 0.4).astype(np.float32))
    labels[:, 0] += labels.sum(1) == 0
    draws, logits = torch.from_numpy(rng.random(24)), torch.from_numpy(rng.standard_normal((24, CLASSES)))

    def chosen_by(world: int) -> tuple[list[list[int]], list[dict[str, Any]]]:
        choices = [ErasureChoice(ErasingConfig(choice=strategy), CLASSES) for _ in range(world)]

        def work(rank: int) -> list[Tensor]:
            found = []
            for batch in torch.arange(24).split(8):
                mine = batch.chunk(world)[rank]
                found.append(choices[rank](labels[mine], draws[mine]))
                remaining = labels[mine].scatter(1, found[-1][:, None], 0.0)
                choices[rank].update(labels[mine], remaining, logits[mine])
            return found

        of_rank = Group(monkeypatch, world).run(work)
        batches = [torch.cat(parts).tolist() for parts in zip(*of_rank, strict=True)]
        return batches, [choice.state_dict() for choice in choices]

    one, (state,) = chosen_by(1)
    two, states = chosen_by(2)
    assert two == one
    assert states == [state, state]


def test_the_choice_survives_a_checkpoint() -> None:
    before = ErasureChoice(ErasingConfig(choice="balanced"), 3)
    choose(before, [[1, 1, 0], [0, 1, 1]], [0.3, 0.8])
    after = ErasureChoice(ErasingConfig(choice="balanced"), 3)
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    assert choose(after, [[1, 1, 1]] * 9, [0.45] * 9) == choose(before, [[1, 1, 1]] * 9, [0.45] * 9)
