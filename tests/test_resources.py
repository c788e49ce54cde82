"""What jobs ask for grows with the largest image of their index."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from wsss.data.index import Record
from wsss.data.indexing import build_index
from wsss.store.files import write_json, write_png


@pytest.fixture
def growing(repository: Path) -> Any:
    """The function of rules/resources.smk, which is plain Python."""
    names: dict[str, Any] = {}
    exec((repository / "rules" / "resources.smk").read_text(encoding="utf-8"), names)
    return names["growing"]


def test_memory_is_bounded_by_the_index(growing: Any, tmp_path: Path) -> None:
    index = SimpleNamespace(index=str(tmp_path / "train.csv"))
    asked = growing(1500, 700)
    assert asked(None, index, 1) == 1500 and asked(None, index, 2) == 3000, "before there is an index"
    records = []
    for name, size in (("a", (100, 2000)), ("b", (500, 3000)), ("c", (700, 700))):
        write_png(tmp_path / f"{name}.png", np.zeros(size, np.uint8))
        records.append(Record(name, tmp_path / f"{name}.png", None, ("cat",)))
    build_index(records, ("cat",), "train").write(tmp_path / "train.csv")
    assert asked(None, index, 1) == 1000 + 700 * 1.5 and asked(None, index, 2) == 2 * (1000 + 700 * 1.5)
    assert growing(5000, 700)(None, index, 1) == 5000, "never less than the amount"
    assert growing(240)(None, SimpleNamespace(), 3) == 720, "time knows no index"
    write_json(tmp_path / "train.json", {"images": 3})
    assert asked(None, index, 1) == 1500, "an index of an earlier version does not say its largest image"
