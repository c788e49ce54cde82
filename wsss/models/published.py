"""Loads parameters released with the published system into this one's networks.

Its releases name the same tensors in several ways: the backbone's as `stageN.*` (with AffinityNet's also as
`backbone.N.*`), as `model.*` beside `stageN.*`, or as `backbone.*`; PoolNet's as `base.resnet.*`; all with or
without `module.` in front. So each tensor here has a list of names that it may have in a file, and a
file fits when it holds every tensor under one of its names, and nothing else.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping

from torch import Tensor, nn

from wsss.errors import UserError, listed

#: prefix of the tensors of timm's network in all of ours
TRUNK = "backbone.net."

#: our names of the heads' tensors -> a released name; what no rule matches is named alike
_HEADS: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"^activation\.0\.", "ac_head.activation_head."),
    (r"^activation\.1\.", "ac_head.bn_head."),
    (r"^branches\.(\d)\.", lambda match: f"fc_edge{int(match[1]) + 1}."),
    (r"^edge\.", "fc_edge6."),
    (r"^branches\.", "edge_layers."),
    (r"^edge\.", "edge_layers.5."),
    (r"^aspp\.branches\.(\d)\.0\.", lambda match: f"aspp.aspp{int(match[1]) + 1}.atrous_conv."),
    (r"^aspp\.branches\.(\d)\.1\.", lambda match: f"aspp.aspp{int(match[1]) + 1}.bn."),
    (r"^aspp\.pooled\.", "aspp.global_avg_pool."),
    (r"^(aspp\.)merge\.0\.", r"\1conv1."),
    (r"^(aspp\.)merge\.1\.", r"\1bn1."),
    (r"^(decoder\.)low\.0\.", r"\1conv1."),
    (r"^(decoder\.)low\.1\.", r"\1bn1."),
    (r"^pyramid\.reduce\.", "base.ppms_pre."),
    (r"^pyramid\.scales\.", "base.ppms."),
    (r"^pyramid\.merge\.", "base.ppm_cat."),
    (r"^guidance\.", "base.infos."),
    (r"^lateral\.", "convert.convert0."),
    (r"^top_down\.(\d\.)scales\.", r"deep_pool.\1convs."),
    (r"^top_down\.(\d\.)out\.", r"deep_pool.\1conv_sum."),
    (r"^top_down\.(\d\.)fuse\.", r"deep_pool.\1conv_sum_c."),
    (r"^score\.", "score.score."),
]


def load_published(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Copy a released state dict into `model`, a network of this package with the same architecture.

    Strict: raises UserError naming every tensor that is missing, left over or of another shape, by the
    name that the file's own naming has for it; the model is then unchanged. Where a file holds a tensor
    twice, the later of its names counts, as in the published code.
    """
    model.load_state_dict(match_tensors(model.state_dict(), state_dict, released_names))


def released_names(name: str) -> list[str]:
    """All names that a file may have for our tensor `name`, ours first, in the order in which they count."""
    if not name.startswith(TRUNK):
        released = [re.sub(pattern, new, name) for pattern, new in _HEADS if re.match(pattern, name)]
        return [name, *(released or [name])]
    inner = name.removeprefix(TRUNK)
    names = [name, f"backbone.{inner}", f"base.resnet.{inner}", f"model.{inner}"]
    if place := re.match(r"(?:(conv1|bn1)|layer([1-4]))\.(.*)", inner):
        stem, stage, below = place.groups()
        # the published stages are sequences: conv1 and bn1 are items of the first, the others hold one item
        number, item = (0, ["conv1", "bn1"].index(stem)) if stem else (int(stage), 0)
        names += [f"stage{number + 1}.{item}.{below}", f"backbone.{number}.{item}.{below}"]
    return names


def match_tensors(
    wanted: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    names: Callable[[str], list[str]],
    *,
    optional: Callable[[str], bool] = lambda name: False,
    ignored: Callable[[str], bool] = lambda name: False,
    source: str = "state dict",
) -> dict[str, Tensor]:
    """The tensors of `found` under our names, one for each of `wanted`.

    names: gives the names under which `found` may hold one of ours. optional: whether one of ours may be
    missing (then it is left out). ignored: whether one of `found` may be left over. source: what the error
    calls `found`. Raises UserError with all faults at once.
    """
    found = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    candidates = {ours: names(ours) for ours in wanted}
    present = {ours: [name for name in theirs if name in found] for ours, theirs in candidates.items()}
    forms = Counter(candidates[ours].index(theirs[-1]) for ours, theirs in present.items() if theirs)
    usual = forms.most_common(1)[0][0] if forms else 0

    known = {name for theirs in candidates.values() for name in theirs}
    faults = {
        "missing": [
            theirs[min(usual, len(theirs) - 1)]
            for ours, theirs in candidates.items()
            if not present[ours] and not optional(ours)
        ],
        "unexpected": [name for name in found if name not in known and not ignored(name)],
        "of another shape": [
            f"{name} {tuple(found[name].shape)} instead of {tuple(wanted[ours].shape)}"
            for ours, theirs in present.items()
            for name in theirs
            if found[name].shape != wanted[ours].shape
        ],
    }
    if any(faults.values()):
        lines = (f"  {what} ({len(names)}): {listed(names, 30)}" for what, names in faults.items() if names)
        raise UserError("\n".join([f"{source} does not fit the network:", *lines]))
    return {ours: found[theirs[-1]] for ours, theirs in present.items() if theirs}
