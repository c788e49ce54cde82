"""What the network of a training lacks, known without a download and without memory for weights."""

from collections.abc import Callable
from functools import cache, partial

from wsss.errors import UserError
from wsss.inference.attention_cams import require_attention
from wsss.models import check_backbone, check_weights
from wsss.runs.networks import section_of, weights_of
from wsss.runs.run import Run

_check_backbone = cache(check_backbone)


def network_fault(run: Run, stage: str) -> str:
    """Why a network or its initial weights cannot be had, and what to choose; empty if they can."""
    network = section_of(run, stage).network
    keys = {"output_stride": network.output_stride, "freeze": getattr(network, "freeze", "none")}
    checks = [
        partial(_check_backbone, network.backbone, **keys),
        partial(check_weights, network.backbone, weights_of(run, stage), reach=False),
    ]
    if stage == "priors":
        checks.append(partial(require_attention, network.backbone, run.config.cams.refine))
    return "; ".join(dict.fromkeys(filter(None, map(_message, checks))))


def _message(check: Callable[[], None]) -> str:
    try:
        check()
    except UserError as error:
        return str(error)
    return ""
