"""Runs commands of rules one after the other in this process, which imports torch once for all of them.

`python commands_in_one_process.py FILE`: FILE holds the commands, a line each, as Snakemake prints them. Ends
with the status of the first that fails. A command fails that asks CUDA for devices before it has claimed any.
"""

import os
import runpy
import shlex
import sys
from pathlib import Path
from typing import Any

from wsss.machine import devices

claim, claimed = devices.claim, list[bool]()


def status_of(command: str) -> int:
    """What `python -m module arguments…` would end with."""
    python, option, module, *arguments = shlex.split(command)
    assert (python, option) == ("python", "-m"), command
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    claimed.clear()
    sys.argv, sys.orig_argv = [module, *arguments], [sys.executable, option, module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=False)
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def refuse_early_query() -> None:
    """Fail unless this command has claimed devices already; where there are none, that sets no variable."""
    assert claimed or "CUDA_VISIBLE_DEVICES" in os.environ, "CUDA is asked for devices before a claim"


def noted_claim(*arguments: Any, **options: Any) -> int:
    """`wsss.machine.devices.claim`, which is noted."""
    claimed.append(True)
    return claim(*arguments, **options)


if __name__ == "__main__":
    from device_queries import watch_queries

    sys.path.pop(0)  # this directory, whose workflow.py hides the package of that name
    watch_queries(refuse_early_query)
    devices.claim = noted_claim
    for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        print(line, flush=True)
        if status := status_of(line):
            sys.exit(status)
