"""Finds results whose file times were lost, as `cp -r` loses them.

Snakemake makes a file again that is older than what it was made from. A copy without times has that of the
copying, and only the records of the jobs say in which order the files were made.
"""

import re
from pathlib import Path

from wsss.runs.jobs import Job, read_jobs
from wsss.runs.run import Run, chain
from wsss.runs.stages import STAGES, before

#: Snakemake's own note of a directory's time, kept inside of it
TIMESTAMP = ".snakemake_timestamp"

#: split and shard of a file, empty where it has none
Part = tuple[str, str]


def stages_of_lost_times(run: Run) -> list[str]:
    """The stages with files that are older than what they were made from, though they were made after it."""
    return [
        stage
        for stage in chain(run)
        for others in [before(run.config, stage)]
        if any(_is_older(run, stage, other) and _was_made_after(run, stage, other) for other in others)
    ]


def _is_older(run: Run, stage: str, other: str) -> bool:
    """Whether a file of a stage is older than one of another stage, which it was made from."""
    mine, theirs, split = _times(run, stage), _times(run, other), run.split(other)
    return any(
        mine[part] < theirs[source]
        for part in mine
        for source in theirs
        # A training reads one split, a shard what is of its split and its number.
        if source[0] in ("", part[0] or split) and (not part[1] or source[1] in ("", part[1]))
    )


def _was_made_after(run: Run, stage: str, other: str) -> bool:
    """Whether all jobs of a stage began when those of another had ended, for the run as it is now."""
    mine, theirs = _jobs(run, stage), _jobs(run, other)
    if not mine or not theirs:
        return False
    return min(job.began for job in mine) >= max(job.ended or job.began for job in theirs)


def _jobs(run: Run, stage: str) -> list[Job]:
    """The jobs that made a stage; none if one of them is not done, or is of another configuration."""
    rule, named = STAGES[stage].rule, read_jobs(run.directory(stage))
    jobs = [job for name, job in named.items() if name.partition(".")[0] == rule]
    return jobs if all(job.state == "done" and job.digest == run.digest(stage) for job in jobs) else []


def _times(run: Run, stage: str) -> dict[Part, float]:
    """When each file of a stage was last written, as Snakemake sees it."""
    form = re.escape(str(run.output(stage, split="SPLIT", shard="SHARD")))
    name = re.compile(form.replace("SPLIT", "(?P<split>[^/]+)").replace("SHARD", "(?P<shard>[^/.]+)"))
    times = {}
    for path in Path().glob(str(run.output(stage, split="*", shard="*"))):
        if found := name.fullmatch(str(path)):
            part = found.groupdict("")
            stamp = path / TIMESTAMP if (path / TIMESTAMP).exists() else path
            times[part.get("split", ""), part.get("shard", "")] = stamp.stat().st_mtime
    return times
