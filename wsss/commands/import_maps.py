"""Give a run CAMs or saliency that were made elsewhere: nothing is then made for their stage.

Takes what P-NOC's releases hand around, a file per image called after it: CAMs as <id>.npy (`keys`, `cam`,
`hr_cam`), saliency as <id>.png (grey, 255 salient). All images of the training split must have one, and all
or none of the validation split. Each is checked; no pickle is run. The maps are written to
results/<run>/given/, and config/<run>.yaml names them.
"""

import argparse
from pathlib import Path

from wsss.runs.stages import GIVEN_MAPS

HELP = "give a run released CAMs or saliency instead of making them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The directories, the run and the stage."""
    parser.add_argument(
        "directories", type=Path, nargs="+", metavar="DIR", help="directory of the files; one per split, say"
    )
    parser.add_argument("--run", dest="run_name", required=True, help="name of the run: config/<run>.yaml")
    parser.add_argument(
        "--stage",
        required=True,
        choices=GIVEN_MAPS,
        help="CAMs; masks of what is salient, 0 and 255, of which PoolNet learns where the run has it; "
        "soft saliency, in place of PoolNet's",
    )


def run(arguments: argparse.Namespace) -> int:
    """Import."""
    from wsss.imports.maps import give_maps
    from wsss.progress import log_to
    from wsss.runs.run import load_run
    from wsss.store.files import read_json

    log_to()
    asked = load_run(arguments.run_name)
    about = give_maps(asked, arguments.stage, arguments.directories, progress=asked.config.machine.progress)
    images = " + ".join(f"{count} of {split}" for split, count in read_json(about)["images"].items())
    print(f"{about.parent}: {images}; nothing makes {arguments.stage} now, config/{asked.name}.yaml says so")
    return 0
