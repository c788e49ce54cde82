"""The provenance of a run's results: changed settings, seeds, versions, machines, protocols."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby, takewhile
from pathlib import Path
from typing import Any

from wsss.config import Section
from wsss.config.keys import REQUIRED, keys
from wsss.report.numbers import Source
from wsss.runs.choices import selects_epoch
from wsss.runs.jobs import Job, cpu, read_jobs, versions
from wsss.runs.run import Run, chain, stages
from wsss.runs.stages import STAGES

#: start of comments for editors
EDITORS = "yaml-language-server"


@dataclass(frozen=True)
class Setting:
    """A key that is not at its shipped default, both values as JSON."""

    key: str
    value: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Protocol:
    """How a stage was scored. chosen: what was chosen with masks; empty where nothing was."""

    stage: str
    chosen: str
    facts: dict[str, str]


def settings_of(run: Run) -> list[Setting]:
    """Every key of a run that is read and differs from its shipped default, in the order of the models."""
    values: dict[str, Any] = {"extends": run.config.extends}
    for name, section in run.config:
        if isinstance(section, Section):
            values |= flat(section.differences(), f"{name}.")
    known = {key.name: key for key in keys()}
    settings = []
    for name, value in values.items():
        key = known.get(name)
        default = "" if key is None or key.default is REQUIRED else json.dumps(key.default)
        if value is not None:
            description = key.description if key else ""
            settings.append(Setting(name, json.dumps(value, ensure_ascii=False), default, description))
    return settings


def comments_of(run: Run, directory: str | Path = "config") -> dict[str, str]:
    """The comments at the top of a run's file and of those that it extends, by run."""
    comments = {}
    for base in reversed(run.lineage):
        lines = (Path(directory) / f"{base.name}.yaml").read_text(encoding="utf-8").splitlines()
        top = (line[1:].strip() for line in takewhile(lambda line: line.startswith("#"), lines))
        if words := " ".join(line for line in top if not line.startswith(EDITORS)):
            comments[base.name] = words
    return comments


def seeds_of(run: Run) -> dict[str, int]:
    """The seeds of a run, by their keys."""
    values = flat(run.config.model_dump(mode="json"))
    read = tuple(f"{STAGES[stage].section}." for stage in stages(run))
    return {key: value for key, value in values.items() if key.endswith(".seed") and key.startswith(read)}


def jobs_of(run: Run) -> dict[str, list[Job]]:
    """The recorded jobs of each stage, in the directory of the run that owns it."""
    jobs = {}
    for stage in chain(run):
        recorded = read_jobs(run.directory(stage))
        of_rule = [job for name, job in recorded.items() if name.partition(".")[0] == STAGES[stage].rule]
        jobs[stage] = [job for job in of_rule if job.digest == run.digest(stage)]
    return jobs


def devices_of(jobs: Mapping[str, list[Job]]) -> dict[str, str]:
    """The devices of each stage's jobs; empty without recorded jobs."""
    return {stage: ", ".join(sorted({job.device for job in done} - {""})) for stage, done in jobs.items()}


def machines_of(jobs: Mapping[str, list[Job]]) -> dict[str, str]:
    """The machine of this page, the devices of the jobs, and the versions of the packages of both."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    here = {"this page, on": f"{cpu()}, {memory:.0f} GB"}
    everything = [job for done in jobs.values() for job in done]
    if everything:
        here["stages, on"] = "; ".join(sorted({job.device for job in everything} - {""}))
    installed = {tuple(job.versions.items()) for job in everything} or {tuple(versions().items())}
    for name, pairs in groupby(sorted({pair for each in installed for pair in each}), lambda pair: pair[0]):
        here[name] = ", ".join(version for _, version in pairs)
    return here


def protocols_of(run: Run, metrics: Mapping[str, Source]) -> list[Protocol]:
    """How the stages of each metrics file were scored, and what was chosen with masks."""
    protocols = []
    for stage, source in metrics.items():
        facts = {key: value for key, value in source.values["protocol"].items() if key != "digest"}
        chosen = facts.pop("threshold_chosen", "")
        words = f"the threshold: {chosen}" if chosen else ""
        shown = {key: _word(value) for key, value in facts.items()}
        protocols.append(Protocol(STAGES[stage].title, words, shown))
    if selects_epoch(run.config):
        truth = run.config.segmentation.labels == "ground_truth"
        val = run.config.dataset.val
        labels = f"the masks of {val}" if truth else f"the pseudo labels of {val}, not its masks"
        kept = {"network kept": f"that of the epoch with the best mIoU against {labels}"}
        chosen = f"the epoch: on the masks of {val}" if truth else ""
        protocols.append(Protocol(f"training of {STAGES['segmentation'].title}", chosen, kept))
    return protocols


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as one mapping, keys dotted."""
    merged: dict[str, Any] = {}
    for name, value in values.items():
        merged |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return merged


def _word(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
