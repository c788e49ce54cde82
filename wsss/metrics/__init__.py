"""How well label maps fit masks: confusion matrices, and one for each of many thresholds at once.

Both count pixels in one histogram per image, never in a loop over pixels, classes or thresholds. All numbers
are fractions in 0..1 (reports multiply by 100). `num_classes` includes the background, which is class 0;
mask value 255 means "do not count". A class that occurs neither in a mask nor in a prediction has the IoU NaN
and no part in a mean, instead of a 0 that would punish a class that was not there.
"""

from wsss.metrics.confusion import ConfusionMatrix
from wsss.metrics.pixels import IGNORE
from wsss.metrics.saliency import SaliencyScore
from wsss.metrics.sweep import ThresholdSweep

__all__ = ["IGNORE", "ConfusionMatrix", "SaliencyScore", "ThresholdSweep"]
