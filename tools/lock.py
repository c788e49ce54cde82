"""Writes requirements.lock and requirements-dev.lock from what is installed here.

Run in an environment that pip resolved (`pip install -e .[dev,tensorboard]`): every package that
pyproject.toml asks for, directly or through others, is pinned to the version that is installed. torch is
written without its build (2.13.0, not 2.13.0+cpu), and CUDA packages not at all: which of them belong to a
machine is decided there, by tools/install.sh.
"""

import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

DEVELOPING = ("dev", "tensorboard")
OF_THE_MACHINE = ("cuda-", "nvidia-", "triton")


def closure(requirements: list[str]) -> dict[str, str]:
    """Name and version of every installed package that `requirements` need, themselves included."""
    pins: dict[str, str] = {}
    todo = [Requirement(line) for line in requirements]
    done = set()
    while todo:
        requirement = todo.pop()
        if str(requirement) in done:
            continue
        done.add(str(requirement))
        found = distribution(requirement.name)
        pins[canonicalize_name(requirement.name)] = found.version.partition("+")[0]
        for line in found.requires or []:
            needed = Requirement(line)
            extras = ("", *requirement.extras)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(needed)
    return {name: pin for name, pin in pins.items() if not name.startswith(OF_THE_MACHINE)}


def write(path: Path, pins: dict[str, str], what: str) -> None:
    """Write one lock file: a comment that says what it is, then a pin a line, sorted."""
    lines = [f"# {what} Written by `make lock`; do not edit."]
    lines += [f"{name}=={pins[name]}" for name in sorted(pins)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Write both lock files beside pyproject.toml."""
    root = Path(__file__).resolve().parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    running = closure(project["dependencies"])
    # Named here because setuptools builds this package, and python >= 3.12 brings none.
    running |= closure(["setuptools"])
    extras = [line for extra in DEVELOPING for line in project["optional-dependencies"][extra]]
    developing = {name: pin for name, pin in closure(extras).items() if name not in running}
    write(root / "requirements.lock", running, "Everything that running needs.")
    write(root / "requirements-dev.lock", developing, "What tests and linters need beside requirements.lock.")


if __name__ == "__main__":
    main()
