"""Export the segmentation network of a run to one file that runs without this package.

Formats: torch.export (.pt2, for torch.export.load) and ONNX (.onnx). Input: images, uint8 (B, 3, H, W), RGB,
of sides from 33 px. Output: logits (B, C, H, W), class 0 is the background. The file has the classes' names.
"""

import argparse
import json
from pathlib import Path

HELP = "export the network of a run: torch.export or ONNX"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, the format and the output."""
    parser.add_argument("--run", dest="run_name", required=True, help="name of the run: config/<run>.yaml")
    parser.add_argument("--format", required=True, choices=("torch", "onnx"), help="format of the file")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="output file, by default results/<run>/export/segmentation.pt2 or .onnx",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export."""
    # Torch takes seconds, which the help does not need.
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
