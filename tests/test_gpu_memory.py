"""A training that is too large for a GPU: batches in parts, recomputed activations, precision."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from support.training import ToyClassifier, ToyImages, micro_step, settings, trainer_of

from wsss.config import PoolnetConfig
from wsss.data.samples import collate
from wsss.losses import saliency_loss
from wsss.machine.precision import precision_on
from wsss.models import DeepLabV3Plus
from wsss.models.recompute import recompute_blocks
from wsss.training.task import Batch, StepInfo
from wsss.training.tasks import PRIOR_TASKS, PoolnetTask
from wsss.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("here")


def trainer(norm: str, *, most: int, method: str = "vanilla") -> Trainer:
    """Of a task for which more than `most` images are too many."""
    section = settings(method, optimisation={"lr": 0.5})
    task = PRIOR_TASKS[section.method](ToyClassifier(norm, dropout=0.0), section)  # type: ignore[arg-type]
    objectives = task.objectives

    def limited(batch: Batch, info: Any) -> Iterator[Any]:
        if len(batch["id"]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")
        yield from objectives(batch, info)

    task.objectives = limited  # type: ignore[method-assign]
    return trainer_of(task, section.optimisation, 4)


@pytest.fixture(scope="module")
def batch() -> Any:
    """Five images, which do not divide evenly."""
    return collate([ToyImages()[0, position] for position in range(5)])


def weights(of: Trainer) -> list[torch.Tensor]:
    """The parameters of the trained network."""
    return list(of.state.result.parameters())


@pytest.mark.parametrize("most", [3, 1])
def test_parts_make_the_step_of_the_whole_batch(batch: Any, most: int) -> None:
    whole, parts = trainer("fix", most=5), trainer("fix", most=most)
    parts.micro_step.fit = True
    for _ in range(2):
        expected, losses = micro_step(whole, batch), micro_step(parts, batch)
        assert losses == pytest.approx(expected, rel=1e-5)
    assert parts.state.step == whole.state.step == 2
    for ours, theirs in zip(weights(parts), weights(whole), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("norm", "most", "fit", "why"),
    [
        ("fix", 3, False, "machine.fit: true would divide"),
        ("normal", 3, True, "batch norm of the generator learns"),
        ("fix", 0, True, "a single image"),
    ],
)
def test_what_cannot_be_divided_is_said(batch: Any, norm: str, most: int, fit: bool, why: str) -> None:
    refused = trainer(norm, most=most)
    refused.micro_step.fit = fit
    with pytest.raises(torch.OutOfMemoryError) as raised:
        micro_step(refused, batch)
    assert why in " ".join(raised.value.__notes__)


def test_a_loss_over_the_batch_is_not_divided(batch: Any) -> None:
    refused = trainer("fix", most=3)
    refused.micro_step.fit, refused.task.needs_whole_batch = True, True
    with pytest.raises(torch.OutOfMemoryError) as raised:
        micro_step(refused, batch)
    assert "compares the images" in " ".join(raised.value.__notes__)


@pytest.mark.parametrize("backbone", ["resnest14d", "vit_tiny_patch16_224"])
def test_recomputed_activations_give_the_same_gradients(backbone: str) -> None:
    found = []
    for recomputes in (False, True):
        torch.manual_seed(0)
        network = DeepLabV3Plus(backbone, 3).train()
        assert not recomputes or recompute_blocks(network) >= 4
        kept = 0

        def count(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal kept
            kept += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            loss = (
                network(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))).square().mean()
            )
            loss.backward()
        gradients = [parameter.grad for parameter in network.parameters()]
        found.append((gradients, dict(network.named_buffers()), kept))
    (gradients, buffers, all_kept), (again, same, some_kept) = found
    assert all(map(torch.equal, gradients, again)), "gradients"  # type: ignore[arg-type]
    assert all(torch.equal(buffers[name], same[name]) for name in buffers), "running statistics"
    assert some_kept < all_kept


def test_poolnet_sees_images_of_one_size_together() -> None:
    """With the loss of one image after the other."""
    seen = []

    class Network(torch.nn.Conv2d):
        def head_modules(self) -> list[torch.nn.Module]:
            return []

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(len(x))
            return super().forward(x)

    torch.manual_seed(0)
    network: Any = Network(3, 1, 1)
    sizes = [(8, 12), (10, 8), (8, 12)]
    images = [torch.randn(3, *size) for size in sizes]
    masks = [torch.rand(1, *size).round() for size in sizes]
    one_by_one = [
        saliency_loss(network(image[None]), mask[None]) for image, mask in zip(images, masks, strict=True)
    ]
    seen.clear()
    batch: Any = {"image": images, "mask": masks, "id": list("abc")}
    (objective,) = PoolnetTask(network, PoolnetConfig()).objectives(batch, StepInfo(0, 1, 0))
    torch.testing.assert_close(objective.total, torch.stack(one_by_one).mean())
    assert sorted(seen) == [1, 2]


@pytest.mark.parametrize(("capability", "precision"), [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 0), "fp16")])
def test_auto_is_the_precision_of_the_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], precision: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    gpu = torch.device("cuda", 0)
    assert precision_on(gpu, "auto") == precision
    assert (
        precision_on(torch.device("cpu"), "auto") == "float32" and precision_on(gpu, "float32") == "float32"
    )
