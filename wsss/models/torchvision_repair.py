"""Makes a CPU build of torch work with torchvision's wheel, which is linked against CUDA.

With a CPU build of torch the compiled part of torchvision does not load, and `import torchvision` (which timm
does) then fails on two undeclared operators. Declaring their schemas is enough: models, transforms and data
sets work; only `ops.nms` itself and the image codecs, which this project does not use, stay unavailable.

`wsss.models` imports this module before anything that imports timm.
"""

import importlib.util
from pathlib import Path

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
#: kept alive: the schemas disappear with the library object
_library: torch.library.Library | None = None


def _compiled_part_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # no torchvision: its own import error is the better message
    for binary in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(binary)
        except OSError:
            return False
    return True


# Whether there is a GPU is not asked: that starts CUDA, before a process has claimed its device.
if torch.version.cuda is None and not _compiled_part_loads():
    _library = torch.library.Library("torchvision", "FRAGMENT")
    for _operator in ("nms", "qnms"):
        _library.define(_operator + _SCHEMA)
