"""Predict masks of photographs with the segmentation network of a run.

Writes masks (PNG with VOC's palette, in the photographs' sizes), overlays, and predictions.json with the
classes of each photograph and their areas. EXIF orientation is applied.
"""

import argparse
from pathlib import Path

from wsss.errors import UserError

HELP = "predict masks of photographs with the network of a run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The photographs, the run and the output."""
    parser.add_argument(
        "photos", type=Path, nargs="+", metavar="PHOTO", help="image files, and directories of them"
    )
    parser.add_argument("--run", dest="run_name", required=True, help="name of the run: config/<run>.yaml")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="output directory, by default results/<run>/predictions"
    )
    parser.add_argument(
        "--side",
        type=int,
        metavar="PX",
        help="larger photographs are downscaled to this longer side; 0: none is; by default the largest side "
        "in the network's training",
    )
    parser.add_argument(
        "--confidence", action="store_true", help="also write maps of the labels' probabilities, confidence/"
    )


def run(arguments: argparse.Namespace) -> int:
    """Predict."""
    # Torch takes seconds, which the help does not need.
    from wsss.data.photos import find_photos
    from wsss.exports.predictions import predict
    from wsss.inference.masks import SegmentationNetwork
    from wsss.inference.photographs import Looks
    from wsss.inference.trained import trained_segmenter
    from wsss.machine.devices import claim, torch_device
    from wsss.progress import log_to
    from wsss.runs.run import RESULTS, load_run

    if arguments.side is not None and arguments.side < 0:
        raise UserError(f"--side {arguments.side}: must be a number of pixels, or 0")
    log_to()
    asked = load_run(arguments.run_name)
    out = arguments.out or RESULTS / asked.name / "predictions"
    photos = find_photos(arguments.photos, leave_out=out)
    model, about = trained_segmenter(asked)
    machine, section = asked.config.machine, asked.config.segmentation
    claim(1, machine.device)
    masks = section.masks
    network = SegmentationNetwork(model, torch_device(threads=machine.threads), masks.precision, masks.flip)
    side = section.training.augmentation.max_side if arguments.side is None else arguments.side
    load = machine.inference_batch, machine.workers, machine.threads
    looks = Looks(masks, side, *load)
    what = {"run": asked.name, "digest": about.digest, "side": side}
    options = {"confidence": arguments.confidence, "progress": machine.progress}
    report = predict(network, about.classes, photos, looks, out, about=what, **options)
    print(f"{report}: {len(photos)} photographs; masks/ and overlays/ are beside it")
    return 0
