"""Prepares a CPU build of torch for CUDA tensors without numbers: compiles and loads `guard.cpp`.

To be called before torch is imported, in a process of its own: from then on torch believes that it has CUDA.
A CUDA build of torch has its own guard, and needs none.
"""

import ctypes
import hashlib
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from wsss.crf.build import BuildError, compiler
from wsss.errors import UserError

SOURCE = Path(__file__).with_name("guard.cpp")


def load_guard(directory: Path | None = None) -> None:
    """Let torch accept CUDA tensors in this process, which must not have imported it.

    directory: keeps the compiled guard, by default the temporary one. Raises UserError without a C++
    compiler, RuntimeError where torch is imported already.
    """
    if "torch" in sys.modules:
        raise RuntimeError("torch is imported already, and has looked for CUDA")
    spec = find_spec("torch")
    assert spec is not None and spec.origin is not None
    root = Path(spec.origin).parent
    # No device: a CUDA build then takes its guard that does nothing.
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if (root / "lib" / "libtorch_cuda.so").exists():
        return
    ctypes.CDLL(str(root / "lib" / "libtorch_cpu.so"), ctypes.RTLD_GLOBAL)
    ctypes.CDLL(str(_compiled(root, directory or Path(tempfile.gettempdir()))), ctypes.RTLD_GLOBAL)


def _compiled(root: Path, directory: Path) -> Path:
    key = hashlib.sha256(SOURCE.read_bytes() + f"{version('torch')} {root}".encode()).hexdigest()[:16]
    library = directory / f"wsss-guard-{os.getuid()}-{key}.so"
    if library.exists() and library.stat().st_uid == os.getuid():
        return library
    include = root / "include"
    paths = [f"-I{include}", f"-I{include / 'torch' / 'csrc' / 'api' / 'include'}", f"-L{root / 'lib'}"]
    partial = library.with_suffix(f".{os.getpid()}.part")
    try:
        command = [compiler(), "-std=c++20", "-O0", "-shared", "-fPIC", *paths, str(SOURCE)]
    except BuildError as error:
        raise UserError(str(error)) from None
    done = subprocess.run(
        [*command, "-o", str(partial), "-ltorch_cpu", "-lc10"], capture_output=True, text=True
    )
    if done.returncode:
        raise UserError(f"{SOURCE.name} does not compile against torch {version('torch')}:\n{done.stderr}")
    partial.replace(library)
    return library
