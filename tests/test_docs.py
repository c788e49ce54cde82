"""README and docs hold: links lead somewhere, and every command in them can be typed."""

import argparse
import re
import shlex
import shutil
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
from snakemake.cli import get_argument_parser
from support.workflow import REPOSITORY, snakemake, write_run

from wsss import cli

PAGES = [
    *sorted(REPOSITORY.glob("*.md")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
    REPOSITORY / "config" / "README.md",
]
#: the longest that the README may be
README_LINES = 150
#: programs of the system, which are not ours to check
SYSTEM = {
    "apptainer",
    "cd",
    "conda",
    "cp",
    "docker",
    "git",
    "pip",
    "pip3",
    "sbatch",
    "scancel",
    "source",
    "squeue",
    "sudo",
}
#: runs of readers that the pages speak of
READERS_RUNS = ("mine", "photographs", "photographs-corrected", "voc12-no-ramp")


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def commands(*programs: str) -> Iterator[tuple[str, list[str]]]:
    """Page and words of every command in a code block that starts with one of the programs; none: all."""
    for page in PAGES:
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
            if language not in ("", "sh", "bash") or re.match(r"[\w,]+,labels", block):
                continue
            for line in re.sub(r"\\\n", "", block).splitlines():
                for command in re.split(r"&&|\|", re.sub(r"(^|\s)#.*", "", line)):
                    words = [word for word in shlex.split(command) if word]
                    while words and re.match(r"[A-Z_]+=", words[0]):
                        words = words[1:]
                    if words and (not programs or words[0] in programs):
                        yield name_of(page), words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = (page.parent / path) if path else page
        assert file.exists(), f"{name_of(page)}: {target} does not exist"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.M)
            anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in anchors, f"{name_of(page)}: {target}: there is no such title"


def test_the_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text("utf-8").splitlines()) < README_LINES


def test_every_command_is_of_a_known_program() -> None:
    known = SYSTEM | {"make", "python", "snakemake", "wsss", ".ci/run"}
    assert [found for found in commands() if found[1][0] not in known] == []


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.M))
    inline = [
        (name_of(page), ["make", target])
        for page in PAGES
        for target in re.findall(r"`(?:[A-Z]+=\w+ )?make ([a-z-]+)", page.read_text("utf-8"))
    ]
    missing = [
        (page, word)
        for page, words in [*commands("make"), *inline]
        for word in words[1:]
        if "=" not in word and word not in targets
    ]
    assert missing == []


def test_scripts_that_python_is_called_with_exist() -> None:
    for page, words in commands("python"):
        path = words[2].replace(".", "/") + ".py" if words[1] == "-m" else words[1]
        assert (REPOSITORY / path).exists(), f"{page}: {shlex.join(words)}"


def test_calls_of_wsss_are_parsed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    called: list[str] = []

    def note(name: str, arguments: argparse.Namespace) -> int:
        called.append(name)
        return 0

    for name, module in cli.COMMANDS.items():
        monkeypatch.setattr(import_module(module), "run", partial(note, name))
    found = [(page, words) for page, words in commands("wsss") if "--help" not in words]
    for page, words in found:
        try:
            assert cli.main(words[1:]) == 0
        except SystemExit:
            pytest.fail(f"{page}: {shlex.join(words)}: {capsys.readouterr().err}")
    assert len(called) == len(found) > 5


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the shipped runs, and those that the pages speak of."""
    directory = tmp_path_factory.mktemp("reader")
    shutil.copytree(REPOSITORY / "config", directory / "config")
    for name in READERS_RUNS:
        base = "voc12" if name.startswith("voc12") else "shapes"
        write_run(directory, name, {"extends": base, "oc": {"optimisation": {"seed": 1}}})
    return directory


def test_calls_of_snakemake_are_planned(reader: Path) -> None:
    parser, targets = get_argument_parser(), set()
    for page, words in commands("snakemake"):
        try:
            arguments = parser.parse_args(words[1:])
        except SystemExit:
            pytest.fail(f"{page}: {shlex.join(words)}")
        # Words in capitals stand for what the reader has; --report takes what was made.
        if not arguments.report:
            targets |= {target for target in arguments.targets or () if not target.isupper()}
    assert len(targets) > 5
    status, printed = snakemake(reader, "--dry-run", "--quiet", "all", "--", *sorted(targets))
    assert status == 0, printed
