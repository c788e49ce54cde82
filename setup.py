"""Builds the library of the dense CRF where the package is built; everything else is in pyproject.toml.

It uses nothing of Python's C interface, so a wheel is of one platform and of every version of Python.
"""

import importlib.util
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


class BuildWithLibrary(build_py):
    """Copies the Python files as ever, then compiles: beside the sources where the package is editable."""

    def run(self) -> None:
        super().run()
        root = HERE if self.editable_mode else Path(self.build_lib)
        try:
            crf_build.build(root / "wsss" / "crf" / "lib")
        except crf_build.BuildError as error:
            raise CompileError(str(error)) from error


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
