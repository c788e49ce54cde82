"""From files to files: the masks of the segmentation network as a stage of a run, shard by shard."""

from pathlib import Path

from wsss.data.palette import voc_palette
from wsss.data.stage import read_index
from wsss.inference.masks import IMAGES_PER_PROCESS, SegmentationNetwork, masks_of, segmented
from wsss.inference.shards import require_classes, shard_label, shard_of
from wsss.machine.devices import torch_device
from wsss.models import DeepLabV3Plus
from wsss.progress import track
from wsss.runs.step import Step
from wsss.store.label_maps import write_label_shard
from wsss.store.networks import load_network


def infer_masks(step: Step, index: Path, model: Path, shard: int, out: Path) -> None:
    """Make the masks of one shard of a split.

    index: of the split; it needs no labels. model: the segmentation network. shard: its number, from 0. out:
    directory of the masks.
    """
    part = shard_of(step, shard, out)
    images = read_index(step, index)
    records = images.shard(*part)
    model_of, about = load_network(model, DeepLabV3Plus)
    step.require("segmentation", about.digest, model)
    require_classes(images, about.classes, model)
    section, machine = step.section, step.machine
    device = torch_device(threads=machine.threads)
    network = SegmentationNetwork(model_of, device, section.precision, section.flip)
    found = segmented(
        network, records, section.scales, batch=machine.inference_batch, workers=machine.workers
    )
    processes = min(machine.threads, len(records) // IMAGES_PER_PROCESS)
    masks = masks_of(found, section.crf, processes=processes)
    label = shard_label("masks", images, part)
    shown = track(masks, label=label, total=len(records), enabled=machine.progress)
    write_label_shard(out, shown, digest=step.digest, palette=voc_palette())
