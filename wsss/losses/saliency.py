"""The loss of PoolNet.

Liu, Hou, Cheng et al., "A simple pooling-based design for real-time salient object detection", CVPR 2019.
"""

from torch import Tensor
from torch.nn import functional


def saliency_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Binary cross-entropy, summed over the pixels of an image, mean over the images.

    logits: (B, 1, H, W); masks: (B, 1, H, W) in [0, 1]. Returns a scalar, which grows with the image's size,
    as published.
    """
    total = functional.binary_cross_entropy_with_logits(logits.float(), masks.float(), reduction="sum")
    return total / len(logits)
