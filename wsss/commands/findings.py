"""The results of the checks of `wsss doctor`."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    state: `ok`; `note`, for what not everyone needs; `missing`, for what everyone needs. remedy: what to type
    or do, empty where nothing needs to be done.
    """

    state: Literal["ok", "note", "missing"]
    name: str
    detail: str
    remedy: str = ""


def installed_version(package: str) -> str:
    """Version of an installed package; empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
