"""The command lines of the workflow's scripts."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wsss.runs.stages import SALIENCY

#: the arguments of scripts: type and meaning
ARGUMENTS: dict[str, tuple[Callable[[str], Any], str]] = {
    "index": (Path, "index of the split"),
    "val-index": (Path, "index of the split that selects the epoch"),
    "split": (str, "name of the split"),
    "shard": (int, "number of the shard, from 0"),
    "model": (Path, "the trained network, or text vectors"),
    "oc": (Path, "the ordinary classifier, for methods with one"),
    "cams": (Path, "CAMs, by shard"),
    "saliency": (Path, "saliency, by shard; none in a run without"),
    **{kind: (Path, f"saliency of {kind}, by shard, if it is scored") for kind in SALIENCY},
    "walks": (Path, "walked CAMs, by shard"),
    "regions": (Path, "regions that vote, by shard"),
    "maps": (Path, "maps, by shard"),
    "masks": (Path, "masks, by shard"),
    "labels": (Path, "label maps, by shard"),
    "val-labels": (Path, "label maps of the split that selects the epoch, by shard"),
    "metrics": (Path, "scores, JSON; of a training its log, CSV"),
    "trainings": (Path, "logs of the trainings, CSV"),
    "chain": (Path, "one line per stage, CSV"),
    "images": (Path, "scores of single images, JSON, or their pixel counts, CSV"),
    "curve": (Path, "scores over thresholds: a table, CSV, or its picture, PNG"),
    "out": (Path, "the main output"),
}


def parser(description: str | None, *names: str) -> argparse.ArgumentParser:
    """The arguments that all scripts have, and those of `ARGUMENTS` that are named.

    A name that ends in `+` takes several values, in `*` any number, in `?` one or none, as in argparse.
    """
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    for name in names:
        bare = name.rstrip("+*?")
        kind, meaning = ARGUMENTS[bare]
        nargs = name.removeprefix(bare) or None
        parser.add_argument(f"--{bare}", required=nargs != "?", type=kind, nargs=nargs, help=meaning)
    parser.add_argument("--run", required=True, help="name of the run: config/<run>.yaml")
    parser.add_argument("--config", required=True, help="the stage's section, as JSON without the defaults")
    parser.add_argument(
        "--threads", type=int, help="CPU threads, by default the configuration's machine.threads"
    )
    parser.add_argument("--log", type=Path, help="also write messages and progress to this file")
    return parser
