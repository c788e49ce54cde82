"""What Snakemake shows on the terminal, and what its log has besides."""

import io
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snakemake.logging import LoggerManager
from snakemake_interface_logger_plugins.common import LogEvent
from support.workflow import REPOSITORY, command, write_run

from wsss.runs.terminal import TAIL, JobLines, install

LOGGER = logging.getLogger("test_terminal")
COMMAND = "python -m workflow.scripts.train_oc --config '{\"batch\": 8}'"


class Screen:
    """What a handler prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *, local: bool) -> None:
        self.capsys, self.handler = capsys, JobLines(local=lambda: local)

    def said(self, message: str | None, event: LogEvent | None = None, **values: Any) -> list[str]:
        """The lines of one message, without the time."""
        record = LOGGER.makeRecord(
            "n", logging.INFO, "f", 1, message, (), None, extra={"event": event, **values}
        )
        self.handler.handle(record)
        return re.sub(r"\[\d\d:\d\d:\d\d\]", "[time]", self.capsys.readouterr().err).splitlines()

    def job(self, jobid: int = 4, message: str | None = "voc12: train the ordinary classifier") -> list[str]:
        """A job starts."""
        return self.said("Rule: …", LogEvent.JOB_INFO, jobid=jobid, rule_msg=message, reason="Missing output")


@pytest.fixture(params=[True, False], ids=["local", "cluster"])
def screen(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Screen:
    return Screen(capsys, local=request.param)


def test_a_job_is_one_line(screen: Screen) -> None:
    assert screen.said("Job stats:\n…", LogEvent.RUN_INFO, stats={"total": 57}) == ["57 jobs to run"]
    assert screen.said("Select jobs to execute...") == []
    assert screen.said("Execute 1 jobs...") == []
    assert screen.job() == ["[time] [0/57] voc12: train the ordinary classifier"]
    assert screen.said("Finished jobid: 4", LogEvent.JOB_FINISHED, job_id=4) == []
    assert screen.said("1 of 57", LogEvent.PROGRESS, done=1, total=57) == []
    assert screen.job(5, "voc12: train the CAM generator") == ["[time] [1/57] voc12: train the CAM generator"]
    assert screen.job(6, None) == [], "a rule that only names files"
    assert screen.said("57 of 57", LogEvent.PROGRESS, done=57, total=57) == ["57 of 57 jobs done"]


@pytest.mark.parametrize(
    "text", ["Nothing to be done", "Trying to restart job 4.", "WorkflowError:\nno such file"]
)
def test_what_a_person_needs_stays(screen: Screen, text: str) -> None:
    assert screen.said(text) == screen.said(text, LogEvent.ERROR) == text.splitlines()


def test_a_failure_names_the_job_and_its_log(screen: Screen, tmp_path: Path) -> None:
    log = tmp_path / "train_oc.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    screen.job()
    failed = f"RuleException:\nCalledProcessError in file \"/x/priors.smk\", line 3:\nCommand '{COMMAND}' "
    assert screen.said(f"{failed}returned non-zero exit status 1.", LogEvent.ERROR) == []
    values: dict[str, Any] = {"rule_name": "train_oc", "jobid": 4, "log": [str(log)], "shellcmd": COMMAND}
    local = screen.handler.local()
    reason = None if local else "SLURM-job '28' failed"
    lines = screen.said("Error in rule", LogEvent.JOB_ERROR, rule_msg=reason, **values)
    assert lines[0] == "[time] [0/0] rule train_oc failed (voc12: train the ordinary classifier)"
    assert lines[1:3] == ([f"    log: {log}"] if local else ["    SLURM-job '28' failed", f"    log: {log}"])
    tail = [f"    | line {number}" for number in range(100 - TAIL, 100)]
    assert lines[3:] == ([] if local else tail), "a job on this machine has printed its error"
    assert COMMAND not in "".join(lines)
    log.write_text("Building DAG\nslurmstepd-one: error: JOB 1 ON one CANCELED DUE TO TIME LIMIT ***\nbye\n")
    lines = screen.said("Error in rule", LogEvent.JOB_ERROR, rule_msg=reason, **values)
    assert len(lines) == (2 if local else 4) and (local or lines[-1].endswith("DUE TO TIME LIMIT ***"))
    group = {"job_error_info": [values, {**values, "rule_name": "other", "jobid": 9}], "aux_logs": ["no.log"]}
    lines = screen.said("Error in group", LogEvent.GROUP_ERROR, **group)
    assert "rule train_oc failed" in lines[0] and "rule other failed" in lines[1]
    assert sum(line.startswith("    log: ") for line in lines) == 3


def test_a_signal_is_named(screen: Screen) -> None:
    died = f"RuleException:\nCalledProcessError in x:\nCommand '{COMMAND}' died with <Signals.SIGKILL: 9>."
    assert screen.said(died, LogEvent.ERROR) == ["a job was ended by SIGKILL; was there too little memory?"]


def test_an_interruption_is_the_last_line(screen: Screen) -> None:
    said = screen.said("Terminating processes on user request, this might take some time.")
    assert said == ["interrupted; the same command continues from here"]
    assert screen.said("Error in rule", LogEvent.JOB_ERROR, rule_msg=None) == []
    assert screen.said("Complete log(s): x") == screen.said("WorkflowError", LogEvent.ERROR) == []


class Settings:
    """Snakemake's, as far as its log manager reads them."""

    log_handler_settings: dict[str, Any] = {}  # noqa: RUF012
    skip_plugin_handlers = show_failed_logs = verbose = debug_dag = dryrun = nocolor = stdout = False
    enable_file_logging, log_level_override, quiet = True, None, frozenset()

    def __init__(self, *, printshellcmds: bool) -> None:
        self.printshellcmds = printshellcmds


@pytest.mark.parametrize("asked", [False, True])
def test_commands_and_reasons_are_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    logger = logging.getLogger(f"test_terminal.{asked}")
    logger.propagate = False
    manager = LoggerManager(logger, Settings(printshellcmds=asked))
    manager.setup_logfile(tmp_path)
    install(manager, local=lambda: True)
    values: dict[str, Any] = dict.fromkeys(("local", "is_checkpoint"), False)
    values |= {"jobid": 4, "rule_msg": "make it", "reason": "Missing output files"}
    logger.info("Rule", extra={"event": LogEvent.JOB_INFO, **values})
    logger.info(f"Shell command: {COMMAND}", extra={"event": LogEvent.SHELLCMD})
    manager.stop()
    printed = capsys.readouterr().err
    assert "make it" in printed and "Missing output" not in printed
    assert (COMMAND in printed) == asked
    (log,) = (tmp_path / ".snakemake" / "log").glob("*.log")
    assert "Reason: Missing output files" in log.read_text() and COMMAND in log.read_text()


@pytest.fixture
def drawing(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Snakemake on a terminal, as the only job draws many images; and what it prints to."""
    write_run(tmp_path, "many", {"dataset": {"kind": "shapes", "train_images": 20_000, "val_images": 1}})
    outer, inner = os.openpty()
    env = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        command("--cores", "1", "results/many/data"),
        cwd=tmp_path,
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
        env=env,
        text=True,
    )
    os.close(inner)
    yield process, outer
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    os.close(outer)


def test_ctrl_c_ends_in_one_line(drawing: tuple[subprocess.Popen[str], int], tmp_path: Path) -> None:
    """While a job computes: whatever it was about, neither it nor Snakemake prints a traceback."""
    process, terminal = drawing
    record = tmp_path / "results" / "many" / "jobs" / "make_shapes.json"
    until = time.monotonic() + 120
    while not record.exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert record.exists()
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 1
    printed = io.BytesIO()
    try:
        while block := os.read(terminal, 65536):
            printed.write(block)
    except OSError:  # nobody is at the other end any more
        pass
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", printed.getvalue().decode()).replace("\r", "")
    before, _, after = text.partition("interrupted; the same command continues from here\n")
    assert "draw the embedded data set" in before and not after.strip(), text
    assert "Traceback" not in text and "Shell command" not in text


KILL = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
RULES = "from wsss.runs.terminal import end_quietly_on_ctrl_c; end_quietly_on_ctrl_c()"


@pytest.mark.parametrize(
    ("imports", "rules", "said"),
    [(KILL, "", ""), ("", f"{RULES}; {KILL}", "interrupted; the same command continues from here\n")],
    ids=["imports", "rules"],
)
def test_ctrl_c_before_the_first_job(tmp_path: Path, imports: str, rules: str, said: str) -> None:
    """While `make demo` imports a stand-in of Snakemake, and while that reads the rules."""
    (tmp_path / "snakemake").mkdir()
    (tmp_path / "snakemake" / "__init__.py").touch()
    (tmp_path / "snakemake" / "cli.py").write_text(f"{imports}\ndef main():\n    {rules or 'pass'}\n")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{REPOSITORY}"}
    ended = subprocess.run([sys.executable, "-m", "workflow"], env=env, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", said)


def test_the_rules_begin_with_the_end_of_ctrl_c() -> None:
    """Before the imports that take long."""
    included = (REPOSITORY / "Snakefile").read_text().partition('include: "')[2]
    rules = (REPOSITORY / included.partition('"')[0]).read_text()
    code = [line for line in rules.splitlines() if line and not line.startswith("#")]
    assert code[:2] == RULES.replace("ctrl_c;", "ctrl_c, install;").split("; ")
    assert "python -m workflow --cores all" in (REPOSITORY / "Makefile").read_text()
