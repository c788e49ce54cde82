"""Text vectors on disk: a small file that stands for the text tower of a CLIP.

With it, the machine that makes CAMs needs neither the text tower nor the package that runs it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wsss.errors import UserError
from wsss.store.files import atomic

_FORMAT = "wsss text vectors 1"
#: how far a vector's length may be from 1
TOLERANCE = 1e-3


@dataclass(frozen=True)
class TextVectors:
    """What a text tower makes of the classes of a data set, and of words for what is none of them.

    classes: names, in the order of `vectors`, float32 (C, D). words: background words, in the order of
    `background`, float32 (B, D), B >= 1. Rows have length 1. logit_scale: logarithm of what cosines are
    multiplied by. backbone, weights: the image tower of the same space, by timm's name, and where its weights
    come from (`wsss.models.weights.check_weights`).
    """

    classes: tuple[str, ...]
    vectors: np.ndarray
    words: tuple[str, ...]
    background: np.ndarray
    logit_scale: float
    backbone: str
    weights: str

    def check(self) -> None:
        """Raise ValueError when names and vectors do not fit together."""
        for names, rows in ((self.classes, self.vectors), (self.words, self.background)):
            if rows.shape != (len(names), self.vectors.shape[1]) or not len(names):
                raise ValueError(f"{len(names)} names, but vectors {rows.shape}")
            if not (np.abs(np.linalg.norm(rows, axis=1) - 1) < TOLERANCE).all():
                raise ValueError("vectors whose length is not 1")


def write_text(path: Path, text: TextVectors, *, digest: str) -> None:
    """Write text vectors, atomically. digest: of the configuration that made them."""
    text.check()
    about = {
        "classes": text.classes,
        "words": text.words,
        "logit_scale": text.logit_scale,
        "backbone": text.backbone,
        "weights": text.weights,
    }
    tensors = {"vectors": text.vectors, "background": text.background}
    metadata = {"format": _FORMAT, "digest": digest, "text": json.dumps(about, ensure_ascii=False)}
    with atomic(path) as temporary:
        save_file(
            {name: np.ascontiguousarray(rows, np.float32) for name, rows in tensors.items()},
            temporary,
            metadata,
        )


def is_text(path: Path) -> bool:
    """Whether a file holds text vectors, whole or not; a network or anything else does not."""
    try:
        with safe_open(path, framework="numpy") as file:
            return (file.metadata() or {}).get("format") == _FORMAT
    except (SafetensorError, OSError):
        return False


def read_text(path: Path) -> tuple[TextVectors, str]:
    """The text vectors in a file, and the digest of the configuration that made them.

    Raises UserError naming the file when it is missing, damaged or something else.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise UserError(f"{path}: holds no text vectors ({_FORMAT!r}); make it again")
            about = json.loads(metadata["text"])
            text = TextVectors(
                tuple(about["classes"]),
                file.get_tensor("vectors"),
                tuple(about["words"]),
                file.get_tensor("background"),
                float(about["logit_scale"]),
                about["backbone"],
                about["weights"],
            )
        text.check()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file of text vectors; make it, or correct the path") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: no whole file of text vectors ({error}); make it again") from None
    return text, metadata["digest"]
