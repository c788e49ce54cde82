"""Runs commands of rules one after the other in this process, which imports torch once for all of them.

`python commands_in_one_process.py FILE`: FILE holds the commands, a line each, as Snakemake prints them. Ends
with the status of the first that fails.
"""

import runpy
import shlex
import sys
from pathlib import Path


def status_of(command: str) -> int:
    """What `python -m module arguments…` would end with."""
    python, option, module, *arguments = shlex.split(command)
    assert (python, option) == ("python", "-m"), command
    sys.argv, sys.orig_argv = [module, *arguments], [sys.executable, option, module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=False)
    except SystemExit as left:
        return int(left.code or 0)
    return 0


if __name__ == "__main__":
    sys.path.pop(0)  # this directory, whose workflow.py hides the package of that name
    for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        print(line, flush=True)
        if status := status_of(line):
            sys.exit(status)
