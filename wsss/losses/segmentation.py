"""The loss of the segmentation network."""

from torch import Tensor
from torch.nn import functional


def segmentation_loss(
    logits: Tensor, labels: Tensor, *, smoothing: float = 0.0, ignore: int = 255, count: Tensor | None = None
) -> Tensor:
    """Cross-entropy, mean over the pixels that have a label (DeepLabV3+, Chen et al., ECCV 2018).

    logits: (B, C, H, W), C with background; labels: (B, H, W) integers in 0..C-1, or `ignore`. smoothing: the
    share of a pixel's target that is spread evenly over all classes. count: scalar, the pixels that the mean
    is taken over, where the logits are part of a batch; by default those with a label.
    Returns a scalar; 0 where no pixel has a label.
    """
    total = functional.cross_entropy(
        logits.float(), labels.long(), ignore_index=ignore, label_smoothing=smoothing, reduction="sum"
    )
    pixels = labeled_pixels(labels, ignore=ignore) if count is None else count
    return total / pixels.clamp(min=1)


def labeled_pixels(labels: Tensor, *, ignore: int = 255) -> Tensor:
    """Number of pixels of a batch (B, H, W) that have a label: a float scalar."""
    return (labels != ignore).sum().float()
