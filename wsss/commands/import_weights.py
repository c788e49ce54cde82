"""Give a run a network that was trained elsewhere: nothing is then trained for its stage.

Takes the released checkpoints of P-NOC in any of their namings, and models of this package. Their tensors are
checked one by one. The network is written to results/<run>/given/, and config/<run>.yaml names it.
"""

import argparse
from pathlib import Path

HELP = "give a run a released network instead of training one"
#: what the command calls a stage -> the stage
STAGES = {
    "oc": "oc",
    "priors": "priors",
    "saliency": "c2am",
    "c2am": "c2am",
    "poolnet": "poolnet",
    "affinity": "affinity",
    "segmentation": "segmentation",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file, the run and the stage."""
    parser.add_argument("file", type=Path, metavar="FILE", help="checkpoint: .pth, .pt or .safetensors")
    parser.add_argument("--run", dest="run_name", required=True, help="name of the run: config/<run>.yaml")
    parser.add_argument(
        "--stage",
        required=True,
        choices=STAGES,
        help="what it is: ordinary classifier, generator, C2AM, PoolNet, AffinityNet, DeepLabV3+",
    )


def run(arguments: argparse.Namespace) -> int:
    """Import."""
    from wsss.imports.networks import give
    from wsss.runs.run import load_run

    stage = STAGES[arguments.stage]
    target = give(load_run(arguments.run_name), stage, arguments.file)
    print(f"{target}: in place of a training of {stage}; config/{arguments.run_name}.yaml says so")
    return 0
