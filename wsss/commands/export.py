"""Write the segmentation network of a run as one file that runs without this package.

Of torch.export (.pt2, for torch.export.load) or ONNX (.onnx). In: images, uint8 (B, 3, H, W), RGB, of any
sides from 33 px on. Out: logits (B, C, H, W), class 0 is the background. The file knows the classes' names.
"""

import argparse
import json
from pathlib import Path

HELP = "the network of a run as one file: torch.export or ONNX"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, the format and the place."""
    parser.add_argument("--run", dest="run_name", required=True, help="name of the run: config/<run>.yaml")
    parser.add_argument("--format", required=True, choices=("torch", "onnx"), help="kind of file")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="where to, by default results/<run>/export/segmentation.pt2 or .onnx",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export."""
    # Torch takes seconds, which the help need not.
    from wsss.exports.network import SUFFIXES, export
    from wsss.inference.trained import trained_segmenter
    from wsss.runs.run import RESULTS, load_run

    asked = load_run(arguments.run_name)
    name = f"segmentation{SUFFIXES[arguments.format]}"
    path = arguments.out or RESULTS / asked.name / "export" / name
    network, header = trained_segmenter(asked)
    about = {
        "run": asked.name,
        "digest": header.digest,
        "backbone": header.backbone,
        "classes": json.dumps(["background", *header.classes]),
    }
    export(network, arguments.format, path, about=about)
    print(f"{path}: {header.architecture} of {header.backbone}, {len(header.classes) + 1} classes")
    return 0
