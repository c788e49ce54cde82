"""Import CAMs or saliency that were computed elsewhere in place of a run's own.

Takes the files of P-NOC's releases, one per image and named after it: CAMs as <id>.npy (`keys`, `cam`,
`hr_cam`), saliency as <id>.png (gray, 255 salient). All images of the training split must have one, and all
or none of the validation split. Each is checked; no pickle is run. The maps are written to
results/<run>/given/ and entered in config/<run>.yaml.
"""

import argparse
from pathlib import Path

from wsss.runs.stages import importable

HELP = "import released CAMs or saliency instead of computing them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The directories, the run and the stage."""
    parser.add_argument(
        "directories",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="directories of the files, for example one per split",
    )
    parser.add_argument("--run", dest="run_name", required=True, help="name of the run: config/<run>.yaml")
    parser.add_argument(
        "--stage",
        required=True,
        choices=importable("maps"),
        help="CAMs; saliency masks of 0 and 255, from which PoolNet learns if the run has it; soft saliency, "
        "instead of PoolNet's",
    )


def run(arguments: argparse.Namespace) -> int:
    """Import."""
    from wsss.imports.maps import import_maps
    from wsss.progress import log_to
    from wsss.runs.run import load_run
    from wsss.store.files import read_json

    log_to()
    loaded = load_run(arguments.run_name)
    description = import_maps(
        loaded, arguments.stage, arguments.directories, progress=loaded.config.machine.progress
    )
    images = " + ".join(f"{count} of {split}" for split, count in read_json(description)["images"].items())
    replaced = f"replace the {arguments.stage} of the run (entered in {loaded.file})"
    print(f"{description.parent}: {images} images; {replaced}")
    return 0
