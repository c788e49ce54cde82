"""Make the masks of one shard of a split: the segmentation network with test-time augmentation, and a CRF."""

from wsss.data.palette import voc_palette
from wsss.inference.masks import SegmentationNetwork, masks_of, segmented
from wsss.inference.shards import loading_options, open_network, require_classes, track_shard
from wsss.machine.devices import torch_device
from wsss.models import Segmenter
from wsss.runs.step import Step, parser, run_step
from wsss.store.label_maps import write_label_shard


def make_masks(step: Step) -> None:
    """Write the shard's masks, at the images' own resolution; the images need no labels."""
    files, section, machine = step.arguments, step.section, step.machine
    index = step.read_index(files.index)
    records = index.shard(*step.shard)
    model, header = open_network(step, "segmentation", files.model, Segmenter)
    require_classes(index, header.classes, files.model)
    device = torch_device(threads=machine.threads)
    network = SegmentationNetwork(model, device, section.precision, section.flip)
    probabilities = segmented(network, records, section.scales, **loading_options(step))
    masks = masks_of(probabilities, section.crf, threads=machine.threads)
    tracked = track_shard(step, "masks", masks, index)
    write_label_shard(files.out, tracked, digest=step.digest, palette=voc_palette())


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "shard", "model", "out")
    run_step("masks", make_masks, arguments.parse_args(), devices=1)
