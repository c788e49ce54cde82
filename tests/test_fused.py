"""Networks made faster for a CPU: the same maps from fewer modules, and no harm where that cannot be."""

from collections.abc import Callable

import pytest
import torch
from support.networks import NETWORKS
from torch import Tensor, nn

from wsss.models import Classifier
from wsss.models.fused import FusedConvolution, fused
from wsss.models.norm import batch_norms

#: normalizations with the rectifier inside and behind them, none, and attention
BACKBONES = ["tf_efficientnet_lite0", "resnet18", "convnext_atto", "resnest14d"]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def look(model: nn.Module, x: Tensor) -> Tensor:
    maps = model(x)
    return maps if isinstance(maps, Tensor) else maps[-1]


def trained_looking(model: nn.Module) -> nn.Module:
    """Normalizations with statistics of their own: at the start they do nothing."""
    for norm in batch_norms(model):
        for values in (norm.running_mean, norm.bias):
            nn.init.normal_(values, std=0.1)  # type: ignore[arg-type]
        for values in (norm.running_var, norm.weight):
            nn.init.uniform_(values, 0.5, 1.5)  # type: ignore[arg-type]
    return model.eval()


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("network", NETWORKS)
@torch.no_grad()
def test_the_maps_are_the_same(network: str, backbone: str) -> None:
    model = trained_looking(NETWORKS[network](backbone))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    faster = fused(model, look)
    assert any(isinstance(part, FusedConvolution) for part in faster.modules())
    assert not batch_norms(faster)
    x = torch.randn(2, 3, 96, 128)
    expected = look(model, x)
    torch.testing.assert_close(look(faster, x), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Twice(nn.Module):
    """A convolution whose result is used with and without what follows it, in `aside`."""

    def __init__(self, follower: nn.Module, aside: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.convolution, self.follower, self.aside = nn.Conv2d(3, 4, 3), follower, aside

    def forward(self, x: Tensor) -> Tensor:
        made = self.convolution(x)
        return self.aside(made, self.follower(made))


class SumInPlace(nn.Module):
    """As in residual networks: the rectifier takes the same tensor, which holds something else by then."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.act = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        made = self.convolution(x)
        made += x
        return self.act(made)


class Repeated(nn.Module):
    """One convolution, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(self.norm(self.convolution(x)))


@pytest.mark.parametrize(
    "build",
    [
        lambda: Twice(nn.ReLU(), lambda before, after: before + after),
        lambda: Twice(nn.BatchNorm2d(4), lambda before, after: before * after),
        SumInPlace,
        Repeated,
    ],
    ids=["with and without rectifier", "with and without norm", "sum in place", "one module twice"],
)
@torch.no_grad()
def test_what_is_not_a_chain_gives_the_same_maps(build: Callable[[], nn.Module]) -> None:
    model = trained_looking(build())
    x = torch.randn(2, 3, 20, 24)
    torch.testing.assert_close(look(fused(model, look), x), model(x), rtol=0, atol=1e-5)


def test_without_onednn_a_network_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    model = Classifier("resnet18", 3)
    assert fused(model, look) is model
