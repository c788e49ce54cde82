"""What Snakemake shows on the terminal: one line per job, what failed and how the run ended.

Shell commands, reasons and everything else are in Snakemake's own log, .snakemake/log. With -p the commands
are printed as well; --verbose and dry-runs print all that Snakemake has to say.
"""

import logging
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wsss.progress import TerminalHandler, print_styled

#: messages that tell a person nothing; one that a later Snakemake words anew is only printed again
NOISE = (
    *("Building DAG of jobs", "Using shell", "Singularity containers", "Group jobs: inactive"),
    *("Select jobs to execute", "Execute ", "Removing output files of failed job", "Shutting down"),
    "Exiting because a job execution failed",
)
#: of a job's command that failed: the job has said why, unless a signal ended it
COMMAND_FAILED = re.compile(
    r"RuleException:\s+CalledProcessError.*?(?:died with <Signals\.(\w+)[^>]*>\.?)?\s*", re.S
)
INTERRUPTED, ENDS = (
    "Terminating processes on user request",
    "interrupted; the same command continues from here",
)
#: lines of a log that are shown where a job failed on another machine
TAIL = 15
#: how Slurm's own lines begin: time limit, memory, lost nodes
SLURM = ("slurmstepd", "srun: ")


def install(manager: Any, *, local: Callable[[], bool]) -> None:
    """Replace Snakemake's handler for the terminal by `JobLines`, and have the commands in its log.

    Where a logger plugin writes to the terminal, that stays. manager: Snakemake's `workflow.logger_manager`.
    local: tells, once jobs run, whether they do so on this machine, and so print their own errors.
    """
    for file in manager.logfile_handlers:
        for known in file.filters:
            vars(known).update(printshellcmds=True)
    for handler in [handler for handler in manager.logger.handlers if handler.name == "DefaultStreamHandler"]:
        lines = JobLines(local=local)
        lines.filters = handler.filters  # what --quiet and -p ask for
        manager.logger.removeHandler(handler)
        manager.logger.addHandler(lines)


def end_quietly_on_ctrl_c() -> None:
    """From now on, Ctrl-C ends this Snakemake in one line, too, while it reads rules and plans.

    Snakemake ends jobs that run itself, for which it needs Python's handler: until this is called,
    `workflow/__main__.py` leaves the system's.
    """
    sys.excepthook = _without_traceback_of_ctrl_c
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class JobLines(TerminalHandler):
    """Formats Snakemake's events for people. local: see `install`."""

    def __init__(self, *, local: Callable[[], bool]) -> None:
        super().__init__()
        self.local = local
        self.done = self.total = 0
        self.messages: dict[int, str] = {}
        self.interrupted = False

    def format(self, record: logging.LogRecord) -> str:
        """The text of an event; empty for one that is not shown."""
        values = vars(record)
        event = values.get("event")
        if self.interrupted:
            return ""
        if event in (None, "shellcmd", "error"):
            return self._message(str(record.msg or ""))
        if event == "run_info" and not self.total:
            self.total = values["stats"]["total"]
            return f"{self.total} jobs to run"
        if event == "progress":
            self.done, self.total = values["done"], values["total"]
            return f"{self.done} of {self.total} jobs done" if self.done == self.total else ""
        if event == "job_info":
            self.messages[values["jobid"]] = values["rule_msg"]
            return self._line(values["rule_msg"]) if values["rule_msg"] else ""
        if event == "job_error":
            return "\n".join(self._failed([values], values["rule_msg"], []))
        if event == "group_error":
            return "\n".join(self._failed(values["job_error_info"], values["msg"], values["aux_logs"]))
        return ""

    def _message(self, message: str) -> str:
        if message.startswith(INTERRUPTED):
            self.interrupted = True
            return ENDS
        if failed := COMMAND_FAILED.fullmatch(message):
            memory = "; was there too little memory?" if failed[1] == "SIGKILL" else ""
            return f"a job was ended by {failed[1]}{memory}" if failed[1] else ""
        return "" if message.startswith(NOISE) else message

    def _line(self, text: str) -> str:
        return f"[{time.strftime('%H:%M:%S')}] [{self.done}/{self.total}] {text}"

    def _failed(
        self, jobs: Iterable[Mapping[str, Any]], reason: str | None, logs: list[str]
    ) -> Iterator[str]:
        """reason, logs: of the executor, which knows them for jobs on other machines."""
        for job in jobs:
            message = self.messages.get(job["jobid"])
            yield self._line(f"rule {job['rule_name']} failed" + (f" ({message})" if message else ""))
            logs = [*job["log"], *logs]
        if reason:
            yield f"    {reason}"
        for log in logs:
            yield f"    log: {log}"
            yield from (f"    | {line}" for line in ([] if self.local() else _tail(Path(log))))


def _tail(path: Path) -> list[str]:
    """The end of a log. Of a log of Slurm, what Slurm says; what the job says is in its own log."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.rstrip("\n") for line in file]
    except OSError:
        return []
    return ([line for line in lines if line.startswith(SLURM)] or lines)[-TAIL:]


def _without_traceback_of_ctrl_c(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Before the first job starts, Snakemake does not catch it."""
    if issubclass(kind, KeyboardInterrupt):
        print_styled(ENDS, "yellow", sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
