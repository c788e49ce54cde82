"""The table of faults, of what tests of faults have observed: `pytest --faults FILE` writes it as Markdown.

A test has the fixture `fault` and calls it with what it did, what was said and what lay on the disk before
and after. The fixture checks what has to hold of every fault - no traceback, nothing half-written, nothing
lost, a resumed result that equals the undisturbed one - and keeps a row with the test's report.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import pytest

COLUMNS = ("what was done", "exit", "what the user saw", "on the disk after", "the resumed result", "test")
#: what jobs and Snakemake note of themselves, and what comes and goes while a training runs
NOTES, PASSING = (
    {".snakemake", ".snakemake_timestamp", "logs", "benchmarks", "jobs"},
    {"checkpoints", "finished"},
)
SHOWN = 4

#: by their paths, digests of files
Contents = Mapping[str, str]


class Fault(Protocol):
    """Notes a fault; `made` and `undisturbed` are results, which have to be equal, with and without it."""

    def __call__(
        self,
        done: str,
        status: int,
        said: str,
        before: Contents,
        after: Contents,
        made: Contents | None = None,
        undisturbed: Contents | None = None,
    ) -> None: ...


def contents(root: Path, *names: str) -> Contents:
    """What lies below `root`, hidden files too; or those files only. Others may be at work there."""
    found = {}
    for path in [root / name for name in names] or sorted(root.rglob("*")):
        name = path.relative_to(root)
        if path.is_file() and not NOTES & set(name.parts) and name.suffix != ".log":
            with suppress(FileNotFoundError):
                found[name.as_posix()] = _digest(path)
    return found


def _digest(path: Path) -> str:
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    if path.suffix == ".safetensors" and content[8:9] == b"{" and end <= len(content):
        # Its library writes the entries of a header in any order.
        content = json.dumps(json.loads(content[8:end]), sort_keys=True).encode() + content[end:]
    return sha256(content).hexdigest()


def _changes(before: Contents, after: Contents) -> str:
    lasting = [name for name in before if not PASSING & set(Path(name).parts) and ".part" not in name]
    lost = [name for name in lasting if after.get(name) != before[name]]
    assert lost == [], f"lost or changed: {lost}"
    new = [f"`{name}`" for name in after if name not in before]
    more = f" and {len(new) - SHOWN} more" if len(new) > SHOWN else ""
    return f"as before, and {', '.join(new[:SHOWN])}{more}" if new else "as before"


@pytest.fixture
def fault(record_property: Any, tmp_path: Path) -> Fault:
    """See the module's docstring."""

    def note(
        done: str,
        status: int,
        said: str,
        before: Contents,
        after: Contents,
        made: Contents | None = None,
        undisturbed: Contents | None = None,
    ) -> None:
        assert "Traceback" not in said, said
        # Who dies without a last word may leave a hidden file, which is never taken for a whole one; and a
        # training that goes on may be writing one.
        parts = [name for name in after if ".part" in name and not PASSING & set(Path(name).parts)]
        assert "kill -9" in done or parts == [], "half-written"
        assert made == undisturbed, "the resumed result differs"
        resumed = f"equal: {', '.join(f'`{name}`' for name in made)}" if made else "nothing to resume"
        words = (
            re.sub(r"\s+", " ", said.replace(f"{tmp_path}/", "").replace(str(tmp_path), ".").strip())
            or "nothing of it"
        )
        record_property("fault", (done, str(status), words, _changes(before, after), resumed))

    return note


def rows_of(reports: Iterator[pytest.TestReport]) -> Iterator[tuple[str, ...]]:
    """The rows that tests have kept; a test that failed after all is named as such."""
    for report in reports:
        for name, row in report.user_properties:
            if name == "fault" and report.when == "call":
                passed = "" if report.passed else ", which FAILED"
                yield (*row, f"`{report.nodeid.rpartition('/')[2]}`{passed}")


def table(rows: Iterator[tuple[str, ...]]) -> str:
    """As Markdown."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)
