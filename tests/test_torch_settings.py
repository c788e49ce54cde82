"""Who sets what torch reads when it is first imported: whatever starts a process, and never the library."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from wsss.machine.torch_settings import TORCH_SETTINGS

REPOSITORY = Path(__file__).resolve().parent.parent


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with none of the settings but those of `environment`."""
    bare = {name: value for name, value in os.environ.items() if name not in TORCH_SETTINGS}
    here = {**bare, "PYTHONPATH": str(REPOSITORY), **environment}
    return subprocess.run(
        [sys.executable, *command], cwd=REPOSITORY, env=here, capture_output=True, text=True, timeout=120
    )


PARTS = sorted(path.name for path in (REPOSITORY / "wsss").iterdir() if (path / "__init__.py").is_file())


def test_importing_the_library_changes_nothing() -> None:
    """Neither the environment nor anything that other packages have."""
    program = f"""
import os, signal, sys
before = dict(os.environ)
import wsss
assert [name for name in sys.modules if name.startswith("wsss")] == ["wsss"]
import {", ".join(f"wsss.{part}" for part in PARTS)}
# torch's own compiler notes the directory of its cache.
changed = dict(set(os.environ.items()) ^ set(before.items()))
assert set(changed) <= {{"TORCHINDUCTOR_CACHE_DIR"}}, changed
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
"""
    ended = run("-c", program)
    assert ended.returncode == 0, ended.stderr


#: says how long OpenMP's threads spin, and whether a large tensor is in huge pages
PROBE = """
import re, torch
tensor = torch.ones(64, 1024, 1024)
inside = False
for line in open("/proc/self/smaps"):
    if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
        inside = int(found[1], 16) <= tensor.data_ptr() < int(found[2], 16)
    elif inside and line.startswith("VmFlags:"):
        print("HUGE" if " hg" in line else "SMALL")
"""


def measured(before: str, **environment: str) -> tuple[int, str]:
    """After a program has begun so: GOMP's spin count, and the size of a large tensor's pages."""
    ended = run("-c", before + PROBE, OMP_DISPLAY_ENV="VERBOSE", **environment)
    assert ended.returncode == 0, ended.stderr
    spins = re.search(r"GOMP_SPINCOUNT = '(\d+)'", ended.stderr)
    if not spins or "[never]" in Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text():
        pytest.skip("torch is built without GNU OpenMP, or the kernel has no huge pages")
    return int(spins[1]), ended.stdout.strip()


def test_the_settings_reach_torch() -> None:
    """Measured: waiting threads do not spin, large tensors are in huge pages. The user's own values stay."""
    without, small = measured("")
    assert without > 0 and small == "SMALL", "torch's defaults: with them this test says nothing"
    assert measured("import workflow.scripts\n") == (0, "HUGE")
    assert measured("import wsss.inference.cams\n") == (without, "SMALL"), "the library sets nothing"
    assert measured("import workflow.scripts\n", OMP_WAIT_POLICY="ACTIVE", THP_MEM_ALLOC_ENABLE="0")[0] > 0


def test_the_command_line_sets_them_before_a_command_is_imported() -> None:
    """A program in the place of a command says what it finds."""
    program = """
import os, sys, types
import wsss.cli
command = types.ModuleType("command")
command.HELP = ""
command.add_arguments = lambda parser: None
command.run = lambda arguments: 0
found = []
wsss.cli.import_module = lambda name: (found.append((dict(os.environ), "torch" in sys.modules)), command)[1]
assert wsss.cli.main(["doctor"]) == 0
(environment, imported), = found
print(environment["OMP_WAIT_POLICY"], environment["THP_MEM_ALLOC_ENABLE"], imported)
"""
    assert run("-c", program).stdout.split() == ["PASSIVE", "1", "False"]
