"""Export label maps to the form of another tool: pseudo labels and masks of a run, or predictions.

SOURCE is a run, or a directory that `wsss predict` has written. Beside the labels, areas.csv has the area of
every class in every photograph. Forms: COCO (polygons; regions with holes as run lengths), YOLO segmentation,
CVAT for images 1.1, Label Studio (brush masks as predictions), photographs and masks, and PASCAL VOC.
"""

import argparse
from pathlib import Path

from wsss.errors import UserError

HELP = "export pseudo labels, masks or predictions: COCO, YOLO, CVAT, Label Studio, VOC"
#: the names of `wsss.exports.formats.FORMATS`, without importing what writes them
FORMATS = ("coco", "yolo-seg", "cvat", "label-studio", "images+masks", "voc")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The source, the form and the output."""
    parser.add_argument("source", metavar="SOURCE", help="name of a run, or directory of predictions")
    parser.add_argument("--format", required=True, choices=FORMATS, help="form of the labels")
    parser.add_argument(
        "--stage",
        choices=("pseudo_labels", "masks"),
        default="pseudo_labels",
        help="of a run: its pseudo labels (the default), or its network's masks",
    )
    parser.add_argument("--split", action="append", default=[], help="of a run; by default all that are made")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="new directory, by default results/<run>/export/<format>"
    )
    parser.add_argument(
        "--images",
        choices=("link", "copy", "none"),
        default="link",
        help="photographs beside the labels: links (the default), copies, or none",
    )
    parser.add_argument(
        "--least", type=int, default=1, metavar="PX", help="leave out regions of fewer pixels (1)"
    )
    parser.add_argument("--pixels-per-cm", type=float, metavar="N", help="adds areas in cm² to areas.csv")
    parser.add_argument("--overlays", action="store_true", help="also pictures with a legend, in overlays/")


def run(arguments: argparse.Namespace) -> int:
    """Export."""
    from wsss.exports.label_maps import export_label_maps
    from wsss.exports.sources import of_predictions, of_run
    from wsss.progress import log_to
    from wsss.runs.run import RESULTS, load_run

    log_to()
    if arguments.pixels_per_cm is not None and not arguments.pixels_per_cm > 0:
        raise UserError(f"--pixels-per-cm {arguments.pixels_per_cm}: must be above 0")
    if arguments.least < 1:
        raise UserError(f"--least {arguments.least}: must be at least 1")
    directory = Path(arguments.source)
    if (directory / "predictions.json").is_file():
        source, home = of_predictions(directory), directory
    else:
        asked = load_run(arguments.source)
        source, home = of_run(asked, arguments.stage, arguments.split), RESULTS / asked.name
    out = arguments.out or home / "export" / arguments.format
    regions = export_label_maps(
        source,
        arguments.format,
        out,
        images=arguments.images,
        least=arguments.least,
        pixels_per_cm=arguments.pixels_per_cm,
        overlays=arguments.overlays,
    )
    print(f"{out}: {source.about}, {len(source)} photographs, {regions} regions; areas.csv is beside them")
    return 0
