"""The tree holds no file that nobody names, such as a log that was committed by mistake."""

import re
from collections import Counter
from pathlib import PurePosixPath

import pytest
from support.repository import REPOSITORY, committed

#: files that a tool or a custom finds by their place or name
KNOWN = (
    r"LICENSE|README\.md|CITATION\.cff|CHANGELOG\.md|CONTRIBUTING\.md|Makefile|Snakefile|MANIFEST\.in",
    r"pyproject\.toml|setup\.py|\.(git|docker)ignore|\.snakemake-workflow-catalog\.yml|\.ci/run",
    r"(.*/)?__init__\.py|tests/conftest\.py|tests/test_\w+\.py|benchmarks/\w+\.py",
    r"tests/configs/voc12-(mini|animals)[a-z0-9-]*\.yaml|tests/slurm/\w+\.conf\.in",  # named by patterns
)


def words_of(text: str) -> set[str]:
    """All names in a text, with their suffixes and without."""
    return {word.strip(".") for word in re.findall(r"[\w.-]+", text)} | set(re.findall(r"[\w-]+", text))


def unnamed(texts: dict[str, str]) -> list[str]:
    """Of files, by path with their texts, those that no other file names.

    Modules, runs and captions are named without their suffix, too.
    """
    words = {path: words_of(text) for path, text in texts.items()}
    naming = Counter(word for found in words.values() for word in found)
    unnamed = []
    for path in texts:
        name = PurePosixPath(path)
        names = [name.name, *([name.stem] if name.suffix in (".py", ".yaml", ".rst") else [])]
        others = sum(naming[word] - (word in words[path]) for word in names)
        if not others and not re.fullmatch("|".join(KNOWN), path):
            unnamed.append(path)
    return unnamed


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """All committed files, with what can be read of them."""
    return {path: (REPOSITORY / path).read_text(encoding="utf-8", errors="replace") for path in committed()}


def test_every_file_is_named_by_another(texts: dict[str, str]) -> None:
    assert not unnamed(texts)


@pytest.mark.parametrize(
    "dropping", ["slurm-1.out", "wsss/training/engine.py.orig", "nohup.out", "docs/core.4711"]
)
def test_a_dropping_is_seen(texts: dict[str, str], dropping: str) -> None:
    others = {path: text for path, text in texts.items() if path != "tests/test_tree.py"}
    assert unnamed({**others, dropping: "srun: error\n"}) == [dropping]
