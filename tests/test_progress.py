"""Progress: what a terminal and what a log show, and how long things take in words."""

import fcntl
import io
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from wsss import progress, terminal
from wsss.progress import LOGGER, Progress, duration, log_to, track


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
    assert capsys.readouterr().err.splitlines() == lines


def test_a_terminal_gets_a_bar_and_the_log_its_lines(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    log_to(tmp_path / "a.log")
    shown = Progress("CAMs", 50)
    notes = 0

    def note() -> str:
        nonlocal notes
        notes += 1
        return "note"

    for step in range(50):
        clock.now += 0.05
        shown.update(note=note)
        if step == 30:
            LOGGER.info("a message")
    shown.close()
    said = screen.getvalue()
    assert "50/50" in said and "CAMs" in said and "note" in said
    # the message has a line of its own, and the lines of the log are not shown beside the bar
    assert "\r\x1b[Ka message\n" in said
    assert "ETA" not in said
    assert notes < 20
    log = (tmp_path / "a.log").read_text()
    assert "a message" in log and "CAMs: 50/50 (100 %), 20 images/s, ETA 0s, note" in log


def test_one_process_at_a_time_draws_on_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Jobs side by side share it: who comes second writes lines until the first has gone."""
    monkeypatch.setattr(terminal, "_held", [])
    _, inner = os.openpty()
    with open(inner, "w", encoding="utf-8") as screen:
        monkeypatch.setattr(sys, "stderr", screen)
        other = os.open(os.ttyname(inner), os.O_RDONLY | os.O_NOCTTY)
        fcntl.flock(other, fcntl.LOCK_EX)
        assert Progress("second", 5).bar is None
        os.close(other)
        first, nested = Progress("first", 5), Progress("within it", 5)
        assert first.bar is not None and nested.bar is not None
        nested.close()
        first.close()
        other = os.open(os.ttyname(inner), os.O_RDONLY | os.O_NOCTTY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)


@pytest.mark.parametrize(("level", "code"), [("warning", 33), ("error", 31)])
def test_colours_are_for_terminals_and_can_be_refused(
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
