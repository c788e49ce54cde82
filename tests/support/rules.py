"""The rules of the workflow, as Snakemake reads them."""

import re
import signal
import tempfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from support.repository import REPOSITORY


@cache
def rules() -> dict[str, Any]:
    """Snakemake's object of every rule that runs a command, by name. Nothing is planned or run."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings

    before = signal.getsignal(signal.SIGUSR1)  # which the workflow ignores
    settings = OutputSettings(dryrun=True, quiet={Quietness.ALL})
    with tempfile.TemporaryDirectory() as directory, SnakemakeApi(settings) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(),
            snakefile=REPOSITORY / "Snakefile",
            workdir=Path(directory),
        )._workflow
    signal.signal(signal.SIGUSR1, before)
    return {rule.name: rule for rule in workflow.rules if rule.shellcmd}


def plain(path: Any) -> str:
    """A path of a rule, its wildcards without their patterns."""
    return re.sub(r"\{(\w+),[^}]*\}", r"{\1}", str(path))


def memory_of(rule: Any, attempt: int = 1) -> int:
    """MB that a rule asks for before there is an index."""
    missing = SimpleNamespace(index="missing.csv")
    memory: int = rule.resources["mem_mb"].evaluate({}, input=missing, attempt=attempt).value
    return memory


def takes(rule: Any) -> str:
    """What a rule computes on: all `gpus` of a training, a `gpu`, or the `cpu`."""
    return "gpus" if "nodes" in rule.resources else "gpu" if "gpu" in rule.resources else "cpu"
