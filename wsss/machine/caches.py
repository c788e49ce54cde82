"""Caches where the home directory cannot be written: in containers without one, on nodes with it read-only.

Snakemake, matplotlib, torch, Hugging Face and W&B write to ~/.cache and ~/.config, or to what XDG's variables
name instead.
"""

import os
from pathlib import Path

#: variable -> the directory in the home directory that it replaces
XDG = {"XDG_CACHE_HOME": ".cache", "XDG_CONFIG_HOME": ".config"}


def unwritable_caches() -> dict[str, Path]:
    """By XDG's variables, the directories for caches and settings that cannot be written."""
    home = Path(os.path.expanduser("~"))
    places = {name: Path(os.environ.get(name) or home / directory) for name, directory in XDG.items()}
    return {name: place for name, place in places.items() if not _is_writable(place)}


def replace_caches(directory: Path) -> None:
    """Set XDG's variables for this process and those that it starts, so that unwritable caches go there."""
    for name in unwritable_caches():
        os.environ[name] = str(directory.resolve() / XDG[name].strip("."))


def _is_writable(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(directory, os.W_OK)
