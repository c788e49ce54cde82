"""The outputs of a finished training, retained until Snakemake has recorded them.

Jobs continue when Snakemake itself is killed. Started again, it considers outputs that they have written in
the meantime incomplete, deletes them and runs the job again; and a finished training has no checkpoint left.
So its outputs are retained in a directory of their own, from which the job that runs again restores them. The
workflow discards them at its end, when Snakemake has recorded the outputs.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from wsss.store.files import atomic, atomic_directory

DIRECTORY = "finished"


def retain(directory: Path, files: Sequence[Path]) -> None:
    """Retain files in a directory; it costs no space where the file system has hard links."""
    with atomic_directory(directory) as part:
        for file in files:
            try:
                os.link(file, part / file.name)
            except OSError:
                shutil.copyfile(file, part / file.name)


def restore(directory: Path, files: Sequence[Path]) -> bool:
    """Write files from the retained ones of their names; returns whether all of them were retained."""
    if not files or not all((directory / file.name).is_file() for file in files):
        return False
    for file in files:
        # A copy: a link would be as old as the training, and older than inputs that were written again.
        with atomic(file) as temporary:
            shutil.copyfile(directory / file.name, temporary)
    return True


def discard(run: Path, stage: str) -> None:
    """Delete the retained files of a stage, of any configuration. run: the directory of a run's results."""
    for directory in (run / DIRECTORY).glob(f"{stage}-*"):
        shutil.rmtree(directory, ignore_errors=True)
    with suppress(OSError):  # missing, or not empty
        (run / DIRECTORY).rmdir()
