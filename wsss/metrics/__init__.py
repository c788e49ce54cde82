"""Scores against masks: of label maps, of score maps at many thresholds at once, and of saliency.

Pixels are counted in one histogram per image, without loops over pixels, classes or thresholds. All numbers
are fractions in 0..1 (reports multiply by 100). `num_classes` includes the background, which is class 0;
mask value 255 is ignored. A class that occurs neither in a mask nor in a prediction has the IoU NaN and is
left out of means.
"""

from wsss.metrics.confusion import ConfusionMatrix
from wsss.metrics.pixels import IGNORE
from wsss.metrics.saliency import SaliencyScore
from wsss.metrics.sweep import ThresholdSweep
