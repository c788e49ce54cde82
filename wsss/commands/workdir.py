"""Lay out a working directory: Snakefile, rules, scripts, profiles and configurations.

Needed after `pip install`; a checkout of the repository is one already. Start snakemake there: it reads
config/, and writes to results/. With --update, the workflow's own files are replaced by those of the
installed version, and configurations and profiles stay as they are.
"""

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

from wsss.errors import UserError

HELP = "lay out a working directory, after pip install"
#: the workflow itself, which is of one version with the package
WORKFLOW = ("Snakefile", "rules", "workflow")
#: what people edit
EDITED = ("profiles", "config")
PACKAGE = Path(__file__).resolve().parents[1]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The directory."""
    parser.add_argument("directory", type=Path, metavar="DIR", help="made if it does not exist")
    parser.add_argument(
        "--update", action="store_true", help="replace the workflow's files there; keep what people edit"
    )


def run(arguments: argparse.Namespace) -> int:
    """Copy the files, and print what to type next."""
    directory: Path = arguments.directory
    present = [name for name in (*WORKFLOW, *EDITED) if (directory / name).exists()]
    if present and not arguments.update:
        raise UserError(
            f"{directory}: has {', '.join(present)} already; choose another directory, or replace the "
            f"workflow's files there: wsss workdir {directory} --update"
        )
    if arguments.update and "Snakefile" not in present:
        raise UserError(f"{directory}: no working directory, it has no Snakefile; leave out --update")
    for name in WORKFLOW:
        _replace(directory / name, source() / name)
    for name in EDITED:
        for path in _files(source() / name):
            if not (copy := directory / path.relative_to(source())).exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
    print(f"{directory}: ready. Next:\n  cd {directory}\n  snakemake --cores all results/shapes/val_miou.txt")
    return 0


def source() -> Path:
    """Where the files are: in the installed package, or in the checkout that it runs from."""
    for place in (PACKAGE / "workdir", PACKAGE.parent):
        if (place / "Snakefile").is_file():
            return place
    raise UserError(f"{PACKAGE}: installed without the workflow's files; install the package again")


def _replace(path: Path, other: Path) -> None:
    """Put a copy of a file or directory in the place of another."""
    if path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if other.is_dir():
        shutil.copytree(other, path, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(other, path)


def _files(directory: Path) -> Iterator[Path]:
    return (path for path in sorted(directory.rglob("*")) if path.is_file())
