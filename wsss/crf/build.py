"""Compiles the library of the dense CRF, in three builds of which the best is chosen when it is loaded.

    python wsss/crf/build.py [--sanitize]

setup.py calls it when the package is installed. A C++20 compiler is needed: CXX names one, otherwise g++, c++
or clang++ is used. Floating-point contraction is off, so that all builds give the same numbers to the bit.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "cpp"
LIBRARIES = Path(__file__).resolve().parent / "lib"
COMMAND = "python wsss/crf/build.py"
X86 = platform.machine() in ("x86_64", "AMD64")
#: flags of each build, plain first; x86-64-v3 is AVX2 with FMA, x86-64-v4 the AVX-512 of Skylake and Zen 4
FLAGS: dict[str, list[str]] = {"plain": []} | (
    {"avx2": ["-march=x86-64-v3"], "avx512": ["-march=x86-64-v4", "-mprefer-vector-width=512"]} if X86 else {}
)
LEVELS = list(FLAGS)
COMMON = ["-std=c++20", "-O3", "-ffp-contract=off", "-fPIC", "-shared", "-pthread", "-Wall", "-Wextra"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]


class BuildError(Exception):
    """No compiler, or one that fails; its message says which and why."""


def path(level: str) -> Path:
    """Where a build lies: beside the sources, or where WSSS_CRF_LIBRARIES says (for the sanitizers)."""
    return Path(os.environ.get("WSSS_CRF_LIBRARIES", LIBRARIES)) / f"crf-{level}.so"


@cache
def digest() -> str:
    """Of sources and flags: a library that was built from others is not loaded."""
    contents = [source.read_bytes() for source in sorted(SOURCES.glob("*.[ch]pp"))]
    contents.append(repr((COMMON, FLAGS)).encode())
    return hashlib.sha256(b"".join(contents)).hexdigest()[:16]


def compiler() -> str:
    """The C++ compiler. Raises BuildError if there is none."""
    named = os.environ.get("CXX", "").split()
    for name in named[:1] or ["g++", "c++", "clang++"]:
        if shutil.which(name):
            return name
    raise BuildError("the dense CRF needs a C++ compiler; on Debian or Ubuntu: sudo apt-get install g++")


def build(directory: Path, *, sanitize: bool = False) -> list[Path]:
    """Compile all builds into a directory, side by side; with sanitizers only the plain one.

    Builds of the same sources stay as they are. Raises BuildError with the compiler's words.
    """
    directory.mkdir(parents=True, exist_ok=True)
    command = [compiler(), *COMMON, f'-DCRF_SOURCES="{digest()}"', str(SOURCES / "interface.cpp")]

    def compiled(level: str) -> Path:
        target = directory / path(level).name
        if target.exists() and digest().encode() in target.read_bytes():
            return target
        # beside its place, then moved: a process that has the old library open keeps it
        partial = target.with_suffix(f".{os.getpid()}.part")
        flags = SANITIZE if sanitize else FLAGS[level]
        done = subprocess.run([*command, *flags, "-o", str(partial)], capture_output=True, text=True)
        if done.returncode:
            partial.unlink(missing_ok=True)
            raise BuildError(f"{' '.join(done.args)}\n{done.stderr}")
        partial.replace(target)
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(compiled, LEVELS[:1] if sanitize else LEVELS))


def main() -> int:
    """Compile into the package itself, or with sanitizers into build/sanitize."""
    sanitize = sys.argv[1:] == ["--sanitize"]
    if sys.argv[1:] and not sanitize:
        print(f"usage: {COMMAND} [--sanitize]", file=sys.stderr)
        return 2
    try:
        for library in build(Path("build/sanitize") if sanitize else LIBRARIES, sanitize=sanitize):
            print(library)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
