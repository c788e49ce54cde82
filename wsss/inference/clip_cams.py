"""CAMs without training: what CLIP says of an image, traced back to its patches (CLIP-ES).

Lin et al., "CLIP is also an efficient segmenter: a text-driven approach for weakly supervised semantic
segmentation", CVPR 2023. The classes an image is labeled with compete with each other and with background
words in one softmax; Grad-CAM of a class's probability at the last block gives its CAM, and the transformer's
own attention refines it. Equal to the published code in float32 on a CPU.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from wsss.errors import UserError
from wsss.inference.attention_refinement import box_mask, min_max, refine
from wsss.models.attention import attention_weights

#: ln 100, the temperature that CLIP's training ends at
LOGIT_SCALE = math.log(100)
#: of CLIP's input, per color
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Encoding:
    """An image before the last block of a tower.

    tokens: (1, prefix + N, D), the last block's input; attention: (N, N) of each of the blocks before it that
    the refinement asks for; grid: (gh, gw), gh·gw = N.
    """

    tokens: Tensor
    attention: list[Tensor]
    grid: tuple[int, int]


@dataclass(frozen=True)
class Activation:
    """Grad-CAM at the last block: scores (rows of text,), raw (K, gh, gw), attention (N, N)."""

    scores: Tensor
    raw: Tensor
    attention: Tensor


@dataclass(frozen=True)
class ClipCams:
    """What `clip_es` computes of an image, on the grid of patches (gh, gw); N = gh·gw.

    scores: (rows of text,), sum 1. raw: (K, gh, gw), Grad-CAM before its ReLU. cam: in 0..1. box_mask: bool.
    refined: not normalized. attn_mean: (N, N), of the last blocks. highres: (K, H, W) in 0..1, float16.
    """

    scores: np.ndarray
    raw: np.ndarray
    cam: np.ndarray
    box_mask: np.ndarray
    refined: np.ndarray
    attn_mean: np.ndarray
    highres: np.ndarray


def clip_es(
    network: nn.Module,
    image: np.ndarray,
    text: np.ndarray | Tensor,
    logit_scale: float = LOGIT_SCALE,
    *,
    classes: int,
    scale: float = 1,
    threshold: float = 0.4,
    layers: int = 8,
) -> ClipCams:
    """CAMs of the classes in an image, with class-aware attention refinement.

    network: timm's image tower of a CLIP with class token, whose head projects into the space of the text
    (`vit_base_patch16_clip_quickgelu_224`), in evaluation mode. image: (H, W, 3) uint8, RGB. text: unit
    vectors (K + B, D), the K classes in the image first, then B background words; classes: K. logit_scale:
    logarithm of what cosines are multiplied by. scale: of the image's size, rounded up to whole patches.
    threshold: see `box_mask`. layers: the last blocks whose attention is averaged.
    Raises UserError for arrays of other shapes or a network of another kind.
    """
    device = next(network.parameters()).device
    vectors = torch.as_tensor(text, dtype=torch.float32, device=device)
    _check(network, image, vectors, classes, layers)
    x = network_input(image, _patch(network), scale).to(device)
    encoding = encode(network, x, layers=layers - 1)
    activation = grad_cam(network, encoding, vectors, float(logit_scale), classes)
    attention = torch.stack([*encoding.attention, activation.attention]).mean(0)
    cam = min_max(min_max(activation.raw.relu()))
    boxes = box_mask(cam.cpu().numpy(), threshold=threshold)
    refined = refine(attention, torch.from_numpy(boxes).to(device), cam)
    arrays = (activation.scores, activation.raw, cam, refined, attention, full_size(refined, image.shape[:2]))
    scores, raw, cams, spread, mean, highres = (array.cpu().numpy() for array in arrays)
    return ClipCams(scores, raw, cams, boxes, spread, mean, highres.astype(np.float16))


def network_input(image: np.ndarray, patch: int, scale: float = 1) -> Tensor:
    """The normalized image (1, 3, h, w), resized by Pillow's bicubic filter to whole patches, rounded up."""
    height, width = (math.ceil(side * scale / patch) * patch for side in image.shape[:2])
    resized = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    x = torch.from_numpy(resized).permute(2, 0, 1)[None].float() / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (x - mean) / std


@torch.no_grad()
def encode(network: Any, x: Tensor, *, layers: int = 7) -> Encoding:
    """Run a tower up to its last block: x (1, 3, h, w) in whole patches.

    The position embedding is resized bilinearly and then rounded to half precision, as published.
    layers: how many of the blocks before the last one to collect the attention of.
    """
    patches = network.patch_embed.proj(x)
    grid = (patches.shape[2], patches.shape[3])
    tokens = torch.cat([network.cls_token, patches.flatten(2).mT], dim=1)
    tokens = network.norm_pre(tokens + position_embedding(network.pos_embed, grid))
    *before, _ = network.blocks
    with attention_weights(before[len(before) - layers :], prefix_tokens=1) as attention:
        for block in before:
            tokens = block(tokens)
    return Encoding(tokens, [weights[0] for weights in attention], grid)


def position_embedding(embedding: Tensor, grid: tuple[int, int]) -> Tensor:
    """A square position embedding with class token (1, 1 + n², D), at another grid, rounded to float16."""
    side = math.isqrt(embedding.shape[1] - 1)
    square = embedding[:, 1:].mT.unflatten(2, (side, side))
    resized = interpolate(square, grid, mode="bilinear", align_corners=False).flatten(2).mT
    return torch.cat([embedding[:, :1], resized], dim=1).half().to(embedding.dtype)


@torch.enable_grad()
def grad_cam(network: Any, encoding: Encoding, text: Tensor, logit_scale: float, classes: int) -> Activation:
    """Grad-CAM of the first `classes` rows of `text` at the last block's first normalization.

    The gradient is that of the class's probability among all rows. The image's vector is the mean of its
    patches after the final normalization, without the class token.
    """
    block = network.blocks[-1]
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _arguments: tuple[Any, ...], output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[0]

    hook = block.norm1.register_forward_hook(keep)
    try:
        with attention_weights([block], prefix_tokens=1) as attention:
            tokens = block(encoding.tokens)
    finally:
        hook.remove()
    pooled = network.head(network.norm(tokens)[:, 1:].mean(1))
    scores = (math.exp(logit_scale) * normalize(pooled) @ text.T).softmax(-1)[0]
    raw = [_activation_map(score, kept[0], last=k == classes - 1) for k, score in enumerate(scores[:classes])]
    maps = torch.stack(raw) if raw else scores.new_zeros(0, kept[0].shape[1] - 1)
    return Activation(scores.detach(), maps.view(len(maps), *encoding.grid), attention[0][0])


def full_size(refined: Tensor, size: tuple[int, ...]) -> Tensor:
    """Maps normalized to 0..1, then resized bilinearly to the image: (K, gh, gw) -> (K, H, W)."""
    height, width = size
    if not len(refined):
        return refined.new_zeros(0, height, width)
    return interpolate(min_max(refined)[None], (height, width), mode="bilinear", align_corners=False)[0]


def _activation_map(score: Tensor, activation: Tensor, *, last: bool) -> Tensor:
    (gradient,) = torch.autograd.grad(score, activation, retain_graph=not last)
    weight = gradient[0, 1:].mean(0)
    return activation.detach()[0, 1:] @ weight


def _patch(network: Any) -> int:
    side: int = network.patch_embed.patch_size[0]
    return side


def _check(network: Any, image: np.ndarray, text: Tensor, classes: int, layers: int) -> None:
    faults = []
    needed = ("patch_embed", "cls_token", "pos_embed", "norm_pre", "blocks", "norm", "head")
    if lacking := [name for name in needed if getattr(network, name, None) is None]:
        faults.append(f"network: no {', '.join(lacking)}; an image tower of CLIP as timm has it is needed")
    elif not 1 <= layers <= len(network.blocks):
        faults.append(f"layers {layers}: 1 to {len(network.blocks)} are allowed")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        faults.append(f"image {image.shape} of {image.dtype}: (H, W, 3) of uint8 is needed")
    if text.ndim != 2 or not 0 <= classes <= len(text):
        faults.append(f"text {tuple(text.shape)} with {classes} classes: a row each, background after them")
    if faults:
        raise UserError("CLIP-ES: " + "; ".join(faults))
