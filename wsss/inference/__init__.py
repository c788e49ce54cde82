"""From networks and images to maps: test-time augmentation, CAMs, random walk, refinement, region votes."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsss.inference.clip_cams import clip_es
    from wsss.inference.pixel_adaptive import pamr, par
    from wsss.inference.random_walks import random_walk
    from wsss.inference.regions import vote_sams, vote_sepl
    from wsss.inference.transport import sinkhorn

__all__ = ["clip_es", "pamr", "par", "random_walk", "sinkhorn", "vote_sams", "vote_sepl"]

#: modules that are imported when a name of theirs is first used: torch takes seconds to import, which CRFs
#: and evaluations do not need
_MODULES = {
    "clip_es": "clip_cams",
    "pamr": "pixel_adaptive",
    "par": "pixel_adaptive",
    "random_walk": "random_walks",
    "sinkhorn": "transport",
    "vote_sams": "regions",
    "vote_sepl": "regions",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
