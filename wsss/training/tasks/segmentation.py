"""DeepLabV3+ (Chen et al., ECCV 2018): a class for every pixel, from a label map."""

from collections.abc import Iterator

from wsss import losses
from wsss.config import SegmentationTrainingConfig
from wsss.machine import distributed
from wsss.models import Segmenter
from wsss.training.task import Batch, Objective, StepInfo, Task, Trainable


class SegmentationTask(Task):
    """Cross-entropy over the pixels that have a label. settings: the section `segmentation.training`."""

    result = "segmentation"

    def __init__(self, network: Segmenter, settings: SegmentationTrainingConfig) -> None:
        self.network, self.smoothing = network, settings.label_smoothing
        norm = settings.optimisation.max_grad_norm
        self.trainables = {"segmentation": Trainable(network, network.head_modules(), max_grad_norm=norm)}

    def objectives(self, batch: Batch, info: StepInfo) -> Iterator[Objective]:
        """One objective; its mean is over the pixels of the whole batch, of all processes."""
        labels = batch["label_map"]
        count = distributed.mean(losses.labeled_pixels(labels))
        logits = self.network(batch["image"])
        loss = losses.segmentation_loss(logits, labels, smoothing=self.smoothing, count=count)
        yield Objective("segmentation").add("segmentation", loss)
