"""Progress: what a terminal and what a log show, and how long things take in words."""

import io
import logging
import os
import re
import signal
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from wsss import progress
from wsss.progress import LOGGER, Progress, bar, duration, log_to, track
from wsss.runs.run import load_run
from wsss.runs.run import stages as stages_of


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A terminal that remembers."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress.time, "monotonic", made)
    return made


@pytest.fixture(autouse=True)
def restored_logger() -> Any:
    before = (LOGGER.level, LOGGER.propagate, list(LOGGER.handlers))
    yield
    for handler in list(LOGGER.handlers):
        LOGGER.removeHandler(handler)
        handler.close()
    LOGGER.setLevel(before[0])
    LOGGER.propagate = before[1]
    for handler in before[2]:
        LOGGER.addHandler(handler)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-3, "0s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (185, "3m05s"),
        (3600, "1h00m"),
        (7800, "2h10m"),
        (86399, "23h59m"),
        (100800, "1d04h"),
        (1e6, "11d13h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_log_gets_a_line_now_and_then(
    clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_to(tmp_path / "logs" / "a.log")
    shown = Progress("training", 100, start=20, unit="steps")
    notes = 0

    def note() -> str:
        nonlocal notes
        notes += 1
        return f"loss 0.{notes}"

    for _ in range(80):
        clock.now += 1
        shown.update(note=note)
    shown.close()
    lines = [line.partition(" ")[2] for line in (tmp_path / "logs" / "a.log").read_text().splitlines()]
    assert lines == [
        "training: 40/100 (40 %), 1 steps/s, ETA 1m00s, loss 0.1",
        "training: 60/100 (60 %), 1 steps/s, ETA 40s, loss 0.2",
        "training: 80/100 (80 %), 1 steps/s, ETA 20s, loss 0.3",
        "training: 100/100 (100 %), 1 steps/s, ETA 0s, loss 0.4",
    ]
    # nothing is made for nobody
    assert notes == 4
    assert capsys.readouterr().err.splitlines() == lines[-2:], "the terminal from the first minute on"


def test_redirected_output_gets_lines_ever_more_rarely_and_the_log_all(
    clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A long training must not fill the output of `make demo`; what takes seconds needs no line there."""
    log_to(tmp_path / "a.log")
    shown = Progress("training", 10_000, unit="steps")
    for _ in range(10_000):
        clock.now += 1
        shown.update()
    assert len((tmp_path / "a.log").read_text().splitlines()) == 500
    printed = [int(line.split()[1].partition("/")[0]) for line in capsys.readouterr().err.splitlines()]
    assert len(printed) < 25 and printed[:4] == [60, 240, 840, 1440] and printed[-1] == 10_000
    assert list(track(range(3), label="short")) == [0, 1, 2]
    assert "short: 3/3" in (tmp_path / "a.log").read_text() and not capsys.readouterr().err


def test_the_demo_prints_under_150_lines(
    clock: Clock, capsys: pytest.CaptureFixture[str], repository: Path
) -> None:
    """Into a file, on a machine that takes three times as long as that of docs/costs.md.

    Beside progress there is a line per job, 20 lines of what trainings and evaluations say and of Snakemake
    itself, and those of the Makefile: scores of the stages, and where things are.
    """
    demo = (repository / "docs" / "costs.md").read_text().partition("## A published run")[0]
    rules = re.findall(r"^\| `\w+` \| (\d+) \| (?:(\d+)m)?(\d+)s", demo, re.MULTILINE)
    assert len(rules) > 20
    log_to()
    for jobs, minutes, seconds in rules:
        for _ in range(int(jobs)):
            shown = Progress("job", 1000)
            for _ in range(1000):
                clock.now += 3 * (60 * int(minutes or 0) + int(seconds)) / 1000
                shown.update()
    progress_lines = len(capsys.readouterr().err.splitlines())
    stages = len(stages_of(load_run("shapes", repository / "config")))
    assert progress_lines > 6 and sum(int(rule[0]) for rule in rules) + progress_lines + 20 + stages + 4 < 150


def screen_of(monkeypatch: pytest.MonkeyPatch, *, columns: int = 80, term: str = "xterm") -> Terminal:
    """A terminal as stderr. Called in tests, not a fixture: pytest puts a stderr of its own between them."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.delenv("NO_COLOR", raising=False)
    return made


def frames(screen: Terminal) -> list[str]:
    """The states of the terminal's last line, without colors."""
    return [
        re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text) for text in re.split(r"\r\x1b\[2K|\n", screen.getvalue())
    ]


def test_a_terminal_gets_a_bar_and_the_log_its_lines(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = screen_of(monkeypatch)
    log_to(tmp_path / "a.log")
    shown = Progress("CAMs", 50)
    notes = 0

    def note() -> str:
        nonlocal notes
        notes += 1
        return "[note]"

    for step in range(50):
        clock.now += 0.05
        shown.update(note=note)
        if step == 30:
            LOGGER.info("a [message] longer than the terminal is wide, " + "which is not broken " * 3)
    shown.close()
    said = frames(screen)
    assert any("CAMs" in frame and "50/50" in frame and "[note]" in frame for frame in said)
    # the message has a line of its own, and the lines of the log are not printed beside the bar
    assert "a [message] longer than the terminal is wide, " + "which is not broken " * 3 in said
    assert "(100 %)" not in screen.getvalue()
    assert notes < 20
    log = (tmp_path / "a.log").read_text()
    assert "a [message]" in log and "CAMs: 50/50 (100 %), 20 images/s, ETA 0s, [note]" in log


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize(
    "note", ["lr 0.1", "classification 0.461 tiles 0.463, lr 0.0028 0.00084, 8.69 images/s"]
)
def test_a_bar_keeps_its_width_beside_a_note(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, columns: int, note: str
) -> None:
    screen = screen_of(monkeypatch, columns=columns)
    shown = Progress("shapes/oc", 148, unit="steps")
    for _ in range(148):
        clock.now += 0.5
        shown.update(note=lambda: note)
    shown.close()
    drawn = [frame for frame in frames(screen) if "/148" in frame]
    assert all(len(frame.rstrip("\r")) <= columns for frame in drawn)
    assert all(len(re.findall("[━╸╺]", frame)) >= max(12, columns // 5 - 1) for frame in drawn)
    assert all(len(frame) < 50 or note[:5] in frame or "…" in frame for frame in drawn[1:])
    # it took over a minute, so it stays
    assert "148/148" in drawn[-1] and screen.getvalue().endswith("\n\x1b[?25h")


def test_of_nested_bars_the_inner_one_is_shown(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screen_of(monkeypatch)
    outer = Progress("outer", 5)
    outer.update()
    for _ in track(range(2), label="inner"):
        clock.now += 1
    clock.now += 1
    outer.update()
    outer.close()
    labels = [frame.split()[0] for frame in frames(screen) if frame.strip()]
    assert [label for label, _ in groupby(labels)] == ["outer", "inner", "outer"]
    # one line up: to leave it in the end; never because there were two
    assert screen.getvalue().count("\x1b[1A") <= 1


@pytest.mark.parametrize("kind", ["dumb", "unknown"])
def test_a_terminal_that_moves_no_cursor_gets_lines(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    screen = screen_of(monkeypatch, term=kind)
    log_to(tmp_path / "a.log")
    shown = Progress("x", 2)
    clock.now += 70
    shown.update(2)
    assert shown.bar is None and "x: 2/2 (100 %)" in screen.getvalue()


def test_one_process_at_a_time_draws_on_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Jobs side by side share it: the second prints lines until the first has ended, however it ends."""
    monkeypatch.setattr(bar, "_held", [])
    monkeypatch.setattr(bar.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TERM", "xterm")
    _, inner = os.openpty()
    code = (
        "import os, sys, time\nfrom wsss.progress import Progress\n"
        "print(Progress('first', 5).bar is not None, flush=True)\n"
        "if os.fork() == 0:\n    time.sleep(30)\n    os._exit(0)\n"  # as data-loading processes are
        "time.sleep(30)"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=inner,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    assert first.stdout is not None
    with open(inner, "w", encoding="utf-8") as screen:
        monkeypatch.setattr(sys, "stderr", screen)
        assert first.stdout.readline() == "True\n"
        assert Progress("second", 5).bar is None
        time.sleep(0.5)
        first.kill()
        first.wait()
        second, nested = Progress("second", 5), Progress("within it", 5)
        assert second.bar is not None and nested.bar is not None
        nested.close()
        second.close()
    os.killpg(first.pid, signal.SIGKILL)
    bar._held[0].release()


@pytest.mark.parametrize(("level", "code"), [("warning", 33), ("error", 31)])
def test_colors_are_for_terminals_and_can_be_refused(
    level: str, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = {}
    for name, stream, refused in (
        ("bright", Terminal(), ""),
        ("plain", Terminal(), "1"),
        ("piped", io.StringIO(), ""),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("NO_COLOR", refused)
        log_to(tmp_path / "a.log")
        getattr(LOGGER, level)("words")
        said[name] = stream.getvalue()
    assert f"\x1b[{code}mwords\x1b[0m" in said["bright"]
    assert said["plain"].endswith("words\n") and f"[{code}m" not in said["plain"]
    assert said["piped"] == "words\n"
    assert "\x1b" not in (tmp_path / "a.log").read_text()


def test_speed_is_this_processs_and_unknown_at_first(clock: Clock) -> None:
    shown = Progress("x", 1000, start=900, enabled=False)
    assert shown.line() == "x: 900/1000 (90 %), 0 images/s, ETA ?"
    clock.now += 10
    shown.update(50)
    assert shown.line("more") == "x: 950/1000 (95 %), 5 images/s, ETA 10s, more"
    assert "0/0 (0 %)" in Progress("nothing", 0, enabled=False).line()


def test_disabled_says_nothing(clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log_to(tmp_path / "a.log")
    shown = Progress("x", 3, enabled=False)
    for _ in range(3):
        clock.now += 100
        shown.update()
    shown.close()
    assert (tmp_path / "a.log").read_text() == capsys.readouterr().err == ""


def test_track_counts_and_ends(tmp_path: Path) -> None:
    log_to(tmp_path / "a.log")
    assert list(track([3, 1, 2], label="numbers")) == [3, 1, 2]
    assert list(track(iter("ab"), label="letters", total=2, unit="letters")) == ["a", "b"]
    log = (tmp_path / "a.log").read_text()
    assert "numbers: 3/3 (100 %)" in log and "letters: 2/2 (100 %)" in log
    with pytest.raises(ZeroDivisionError):
        for item in track([1, 0], label="x", enabled=False):
            1 / item


def test_a_log_starts_empty_unless_another_process_began_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.log"
    path.write_text("of an earlier run\n")
    log_to(path)
    LOGGER.info("the launcher")
    launcher = list(LOGGER.handlers)
    log_to(path, rank=0)
    LOGGER.info("the first")
    log_to(path, rank=3)
    LOGGER.info("is not shown")
    LOGGER.error("error: of the fourth")
    log_to(path, rank=0)
    LOGGER.info("the first again")
    lines = [line.partition(" ")[2] for line in path.read_text().splitlines()]
    expected = ["the launcher", "the first", "process 3: error: of the fourth", "the first again"]
    assert lines == expected
    assert capsys.readouterr().err.splitlines() == expected
    assert all(handler not in LOGGER.handlers for handler in launcher)


def test_other_loggers_are_left_alone(tmp_path: Path) -> None:
    log_to(tmp_path / "a.log")
    before = list(logging.getLogger().handlers)
    log_to()
    assert logging.getLogger().handlers == before
    assert len(LOGGER.handlers) == 1
