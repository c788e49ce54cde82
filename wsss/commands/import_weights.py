"""Import a network that was trained elsewhere in place of a run's training.

Takes the released checkpoints of P-NOC in any of their namings, and models of this package. Their tensors are
checked one by one. The network is written to results/<run>/given/ and entered in config/<run>.yaml.
"""

import argparse
from pathlib import Path

from wsss.runs.stages import STAGES, importable

HELP = "import a released network instead of training one"
#: other names of stages; what the releases call saliency is C2AM
ALIASES = {"saliency": "c2am"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file, the run and the stage."""
    parser.add_argument("file", type=Path, metavar="FILE", help="checkpoint: .pth, .pt or .safetensors")
    parser.add_argument("--run", dest="run_name", required=True, help="name of the run: config/<run>.yaml")
    stages = importable("network")
    titles = ", ".join(f"{name}: {STAGES[name].title}" for name in stages)
    parser.add_argument("--stage", required=True, choices=[*stages, *ALIASES], help=titles)


def run(arguments: argparse.Namespace) -> int:
    """Import."""
    # Torch takes seconds, which the help does not need.
    from wsss.imports.networks import import_weights
    from wsss.runs.run import load_run

    stage = ALIASES.get(arguments.stage, arguments.stage)
    target = import_weights(load_run(arguments.run_name), stage, arguments.file)
    print(f"{target}: replaces the training of {stage} (entered in config/{arguments.run_name}.yaml)")
    return 0
