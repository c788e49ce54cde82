"""Where a run's results come from: settings that are no defaults, seeds, versions, machines, protocols."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby, takewhile
from pathlib import Path
from typing import Any

from wsss.config import Section
from wsss.config.keys import REQUIRED, keys
from wsss.figures.numbers import Source
from wsss.runs.choices import learns_from_pseudo_labels, selects_epoch
from wsss.runs.jobs import Job, cpu, read_jobs, versions
from wsss.runs.run import Run, chain, stages
from wsss.runs.stages import STAGES

#: how a comment begins that is for editors
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
    """How a stage was scored.

    chosen: what of it was chosen; empty where nothing was. by: the kind of annotation that it was chosen
    with, of the images that score it.
    """

    stage: str
    chosen: str
    by: str
    facts: dict[str, str]


def settings_of(run: Run) -> list[Setting]:
    """Every key of a run that is read and differs from its shipped default, in the order of the models."""
    values: dict[str, Any] = {"extends": run.config.extends}
    for name, section in run.config:
        if isinstance(section, Section):
            values |= flat(section.differences(), f"{name}.")
    known = {key.name: key for key in keys()}
    made = []
    for name, value in values.items():
        key = known.get(name)
        default = "" if key is None or key.default is REQUIRED else json.dumps(key.default)
        if value is not None:
            made.append(
                Setting(name, json.dumps(value, ensure_ascii=False), default, key.description if key else "")
            )
    return made


def comments_of(run: Run, directory: str | Path = "config") -> dict[str, str]:
    """What the files of a run, and of those that it extends, say at their top, by run; of a few nothing."""
    found = {}
    for base in reversed(run.lineage):
        lines = (Path(directory) / f"{base.name}.yaml").read_text(encoding="utf-8").splitlines()
        top = (line[1:].strip() for line in takewhile(lambda line: line.startswith("#"), lines))
        if words := " ".join(line for line in top if not line.startswith(EDITORS)):
            found[base.name] = words
    return found


def seeds_of(run: Run) -> dict[str, int]:
    """The seeds of a run, by their keys."""
    found = flat(run.config.model_dump(mode="json"))
    read = tuple(f"{STAGES[stage].section}." for stage in stages(run))
    return {key: value for key, value in found.items() if key.endswith(".seed") and key.startswith(read)}


def jobs_of(run: Run) -> dict[str, list[Job]]:
    """By stage, the jobs that made it and left a record, whichever run's directory it lies in."""
    found = {}
    for stage in chain(run):
        jobs = read_jobs(run.directory(stage))
        made = [job for name, job in jobs.items() if name.partition(".")[0] == STAGES[stage].rule]
        found[stage] = [job for job in made if job.digest == run.digest(stage)]
    return found


def devices_of(jobs: Mapping[str, list[Job]]) -> dict[str, str]:
    """By stage, on what it was made; empty where its jobs left no record."""
    return {stage: ", ".join(sorted({job.device for job in made} - {""})) for stage, made in jobs.items()}


def machines_of(jobs: Mapping[str, list[Job]]) -> dict[str, str]:
    """What this page was made with and on, and what the jobs were that differ from it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    here = {"this page, on": f"{cpu()}, {memory:.0f} GB"}
    everything = [job for made in jobs.values() for job in made]
    if everything:
        here["stages, on"] = "; ".join(sorted({job.device for job in everything} - {""}))
    differing = {tuple(job.versions.items()) for job in everything} or {tuple(versions().items())}
    for name, pairs in groupby(
        sorted({pair for made in differing for pair in made}), key=lambda pair: pair[0]
    ):
        here[name] = ", ".join(version for _, version in pairs)
    return here


def protocols_of(run: Run, metrics: Mapping[str, Source]) -> list[Protocol]:
    """How the stages of each metrics file were scored, and what was chosen with annotations."""
    protocols = []
    for stage, source in metrics.items():
        facts = {key: value for key, value in source.values["protocol"].items() if key != "digest"}
        chosen = facts.pop("threshold_chosen", "")
        shown = {key: _word(value) for key, value in facts.items()}
        title = STAGES[stage].title
        protocols.append(
            Protocol(title, f"the threshold: {chosen}", "masks", shown)
            if chosen
            else Protocol(title, "", "", shown)
        )
    if selects_epoch(run.config):
        val, pseudo = run.config.dataset.val, learns_from_pseudo_labels(run.config)
        chosen = f"the epoch: by the {'pseudo labels' if pseudo else 'masks'} of {val}"
        by = "image-level labels" if pseudo else "masks"
        protocols.append(Protocol("segmentation training", chosen, by, {}))
    return protocols


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as one mapping, keys dotted."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def _word(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
