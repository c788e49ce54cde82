"""The image tower of a CLIP: a ViT whose head projects into the space that it shares with text."""

from typing import Any

import timm

from wsss.errors import UserError
from wsss.models.published import match_tensors
from wsss.models.vit import is_vision_transformer
from wsss.models.weights import check_weights, read_tensors


def clip_tower(name: str, weights: str | None, width: int) -> Any:
    """timm's ViT of this name with class token and projection, in evaluation mode.

    weights: "imagenet" (timm's of this name, whatever they were trained on), a file, or None or "none" for
    random ones. width: D of the text vectors. Raises UserError for a network of another kind or width, and
    for weights that cannot be had or do not fit.
    """
    check_weights(name, weights)
    if not is_vision_transformer(name) or "clip" not in name:
        raise UserError(
            f"backbone {name!r}: not an image tower of CLIP, as vit_base_patch16_clip_quickgelu_224.openai is"
        )
    pretrained = weights == "imagenet"
    tower: Any = timm.create_model(
        name, pretrained=pretrained, **({} if pretrained else {"num_classes": width})
    )
    if tower.head.out_features != width:
        raise UserError(
            f"backbone {name!r}: projects to {tower.head.out_features} dimensions, the text vectors "
            f"have {width}; they must come from the text tower that was trained with it"
        )
    if weights not in (None, "none", "imagenet"):
        found = read_tensors(str(weights))
        source = f"{weights}: image tower {name!r} for vectors of {width}"
        tower.load_state_dict(match_tensors(tower.state_dict(), found, lambda ours: [ours], source=source))
    return tower.eval()
