"""Text vectors of class names, by the text tower of a CLIP (Radford et al., ICML 2021, prompt ensembling)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from wsss.config import PriorsConfig
from wsss.errors import UserError
from wsss.store.text import TextVectors, read_text

#: sentences -> one row each, of any length, (n, D)
Encode = Callable[[list[str]], Tensor]


def text_vectors(
    encode: Encode,
    names: Sequence[str],
    prompts: Sequence[str],
    synonyms: Mapping[str, Sequence[str]] | None = None,
) -> np.ndarray:
    """Unit vectors (len(names), D), float32.

    prompts: sentences with {} where a name goes. synonyms: what to call a name instead, all of them. A
    vector is the mean over prompts and synonyms of unit vectors, brought to length 1 again.
    """
    rows = []
    for name in names:
        words = (synonyms or {}).get(name, (name,))
        sentences = [prompt.replace("{}", word) for word in words for prompt in prompts]
        rows.append(normalize(normalize(encode(sentences)).mean(0), dim=0))
    return torch.stack(rows).float().numpy()


def vectors_of_classes(section: PriorsConfig, classes: Sequence[str]) -> TextVectors:
    """The text vectors that a run's CAMs need, from its text tower or from the file that it names.

    classes: of the data set, in order. Raises UserError for synonyms of no class, for a file of other
    classes, and as `open_clip_encoder`.
    """
    text, network = section.text, section.network
    if text.vectors is not None:
        found, _ = read_text(text.vectors)
        if found.classes != tuple(classes):
            raise UserError(
                f"priors.text.vectors {text.vectors}: of {', '.join(found.classes)}; the images have "
                f"{', '.join(classes)}, and the order counts"
            )
        return replace(found, backbone=network.backbone, weights=network.weights)
    if unknown := sorted(set(text.synonyms) - set(classes)):
        raise UserError(
            f"priors.text.synonyms: {', '.join(unknown)} is no class of the images, which have "
            f"{', '.join(classes)}"
        )
    encode, logit_scale = open_clip_encoder(text.model, text.pretrained)
    return TextVectors(
        tuple(classes),
        text_vectors(encode, classes, text.prompts, text.synonyms),
        text.background,
        text_vectors(encode, text.background, text.prompts),
        logit_scale,
        network.backbone,
        network.weights,
    )


def open_clip_encoder(model: str, pretrained: str | None) -> tuple[Encode, float]:
    """The text tower of a model of open_clip, and the logarithm of its temperature's inverse.

    pretrained: open_clip's name of the weights, fetched where they are not on this machine yet, or a file;
    None: random. Raises UserError when open_clip, the model or the weights cannot be had.
    """
    import wsss.models.torchvision_repair  # noqa: F401  before torchvision, which open_clip imports

    try:
        import open_clip
    except ImportError:
        raise UserError(
            "text vectors need open_clip: pip install 'wsss[clip]', or set priors.text.vectors to a file of "
            "vectors that was made on another machine"
        ) from None
    if model not in open_clip.list_models():
        raise UserError(f"priors.text.model {model!r}: open_clip {open_clip.__version__} has no such model")
    try:
        network = open_clip.create_model(model, pretrained=pretrained).eval()
    except Exception as error:  # open_clip raises what its downloaders raise
        raise UserError(
            f"priors.text.pretrained {pretrained!r} of {model}: {error}. open_clip has "
            f"{', '.join(open_clip.list_pretrained_tags_by_model(model)) or 'no weights for it'}; without a "
            "connection, set priors.text.vectors to a file of vectors that was made on another machine"
        ) from None
    tokenizer = open_clip.get_tokenizer(model)

    def encode(sentences: list[str]) -> Tensor:
        with torch.inference_mode():
            rows: Tensor = network.encode_text(tokenizer(sentences))
        return rows

    return encode, float(network.logit_scale.detach())
