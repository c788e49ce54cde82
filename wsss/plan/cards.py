"""GPUs by what their makers state, in dense arithmetic: none of it was measured here."""

from dataclasses import dataclass

from wsss.errors import UserError

#: bytes that the driver, torch and its libraries take, and the share of the rest that fragments waste:
#: assumed
CONTEXT, FRAGMENTS = 0.8 * 2**30, 0.05


@dataclass(frozen=True)
class Card:
    """A GPU. memory: GiB. bandwidth: bytes per second. half, single: operations per second of matrix
    products.

    single: where the GPU has TF32, convolutions use it, as is torch's default. bf16: whether it has that
    type; otherwise half precision is fp16.
    """

    title: str
    memory: float
    bandwidth: float
    half: float
    single: float
    bf16: bool = True

    @property
    def usable(self) -> float:
        """Bytes for tensors."""
        return (self.memory * 2**30 - CONTEXT) * (1 - FRAGMENTS)

    def seconds(self, traffic: float, flops: dict[str, float]) -> float:
        """The slower of traffic in bytes and arithmetic in operations by precision: a lower bound."""
        rates = {"half": self.half, "single": self.single}
        return max(traffic / self.bandwidth, sum(count / rates[kind] for kind, count in flops.items()))


CARDS = {
    "h100": Card("H100 SXM, 80 GB", 79.6, 3.35e12, 989e12, 495e12),
    "a100": Card("A100 SXM, 80 GB", 79.3, 2.04e12, 312e12, 156e12),
    "4090": Card("RTX 4090, 24 GB", 23.6, 1.01e12, 165e12, 82.6e12),
    "v100": Card("V100 SXM2, 32 GB", 31.7, 0.90e12, 125e12, 15.7e12, bf16=False),
}


def card(name: str) -> Card:
    """A GPU by its name. Raises UserError for another one."""
    if name not in CARDS:
        raise UserError(f"GPU {name!r}: known are {', '.join(CARDS)}")
    return CARDS[name]
