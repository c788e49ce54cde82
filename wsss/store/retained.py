"""What a training has made, under a second name until Snakemake knows of it.

Jobs go on where Snakemake itself is killed. When it is started again it takes what they have made meanwhile
for half-made, deletes it and starts the job anew; and a training that is over has no checkpoint left to go on
from. So its outputs are held in a directory of their own, and the job that is started anew takes them from
there. The workflow forgets them when it comes to its end, and so knows that they are made.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from wsss.store.files import atomic, atomic_directory

DIRECTORY = "finished"


def hold(directory: Path, files: Sequence[Path]) -> None:
    """Give files a second name in a directory; it costs no space where the file system has hard links."""
    with atomic_directory(directory) as held:
        for file in files:
            try:
                os.link(file, held / file.name)
            except OSError:
                shutil.copyfile(file, held / file.name)


def take(directory: Path, files: Sequence[Path]) -> bool:
    """Write files from those that a directory holds under their names; whether it holds them all."""
    if not files or not all((directory / file.name).is_file() for file in files):
        return False
    for file in files:
        # A copy: a link would be as old as the training, and older than inputs that were made again.
        with atomic(file) as temporary:
            shutil.copyfile(directory / file.name, temporary)
    return True


def forget(run: Path, stage: str) -> None:
    """Remove what is held of a stage of any configuration. run: the directory of a run's results."""
    for directory in (run / DIRECTORY).glob(f"{stage}-*"):
        shutil.rmtree(directory, ignore_errors=True)
    with suppress(OSError):  # not there, or other stages' are held in it
        (run / DIRECTORY).rmdir()
