"""Builds the library of the dense CRF, and adds the workflow to wheels; all else is in pyproject.toml.

It uses nothing of Python's C interface, so a wheel is of one platform and of every version of Python.
"""

import importlib.util
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.dist import Distribution
from setuptools.errors import CompileError

HERE = Path(__file__).resolve().parent
# by its path: importing the package takes NumPy, which need not be here yet
_spec = importlib.util.spec_from_file_location("crf_build", HERE / "wsss" / "crf" / "build.py")
crf_build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(crf_build)


#: what lies beside the package and `wsss workdir` copies; a wheel holds it in wsss/workdir/
WORKDIR = ("Snakefile", "rules", "workflow", "profiles", "config")


class BuildWithLibrary(build_py):
    """Copies the Python files and the workflow, then compiles; an editable package lies beside both."""

    def run(self) -> None:
        super().run()
        root = HERE if self.editable_mode else Path(self.build_lib)
        for name in () if self.editable_mode else WORKDIR:
            _copy(HERE / name, root / "wsss" / "workdir" / name)
        try:
            crf_build.build(root / "wsss" / "crf" / "lib")
        except crf_build.BuildError as error:
            raise CompileError(str(error)) from error


def _copy(path: Path, copy: Path) -> None:
    if path.is_dir():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(path, copy, ignore=ignored, dirs_exist_ok=True)
    else:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


class WheelOfAnyPython(bdist_wheel):
    """A wheel for this platform and any Python 3."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


class PlatformDistribution(Distribution):
    """A package with compiled parts, though none of them is an extension module."""

    def has_ext_modules(self) -> bool:
        return True


setup(
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": WheelOfAnyPython}, distclass=PlatformDistribution
)
