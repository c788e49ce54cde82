"""The networks of a run's trainings: whether timm has them is known before anything is planned.

The check imports torch and builds networks on the meta device, which takes seconds. Networks that have passed
it are therefore recorded.
"""

import json
from collections.abc import Callable, Iterable
from importlib import metadata
from operator import attrgetter
from pathlib import Path

from wsss.config import TrainingConfig
from wsss.errors import UserError
from wsss.runs.jobs import read_jobs
from wsss.runs.run import Run, stages
from wsss.runs.stages import STAGES
from wsss.store.files import read_json, write_json

#: beside Snakemake's own records: what each network that has passed is asked for
RECORD = Path(".snakemake", "checked-networks.json")


def trainings_of(run: Run) -> list[str]:
    """The trainings of a run whose networks are not imported."""
    return [stage for stage in stages(run) if STAGES[stage].kind == "training" and not run.given(stage)]


def section_of(run: Run, stage: str) -> TrainingConfig:
    """The section of a training."""
    section: TrainingConfig = attrgetter(STAGES[stage].section)(run.config)
    return section


def weights_of(run: Run, stage: str) -> str:
    """The initial weights of a training; `none` where its network is already trained."""
    job = read_jobs(run.directory(stage)).get(STAGES[stage].rule)
    trained = job is not None and job.digest == run.digest(stage) and run.output(stage).exists()
    return "none" if trained else section_of(run, stage).network.weights


def network_faults(runs: Iterable[Run], check: Callable[[list[str]], dict[str, str]]) -> dict[str, str]:
    """By training, as RUN/STAGE, why its network or its initial weights cannot be had.

    check: gives these reasons for trainings; it is called for those whose networks have not passed before.
    """
    asked = {f"{run.name}/{stage}": _asked(run, stage) for run in runs for stage in trainings_of(run)}
    passed = _passed()
    # Runs that extend one another ask for the same networks: each is checked once.
    new = {what: name for name, what in asked.items() if what not in passed}
    found = check(list(new.values())) if new else {}
    if added := {what for what, name in new.items() if name not in found}:
        write_json(RECORD, sorted(passed | added))
    return {name: found[new[what]] for name, what in asked.items() if new.get(what) in found}


def described(faults: dict[str, str]) -> str:
    """Faults in words, each once, with the sections of the trainings that have it."""
    sections: dict[str, list[str]] = {}
    for training, fault in faults.items():
        stage = training.partition("/")[2]
        sections.setdefault(fault, []).append(f"{STAGES[stage].section}.network")
    return "\n  ".join(f"{', '.join(names)}: {fault}" for fault, names in sections.items())


def _asked(run: Run, stage: str) -> str:
    """What a training's network is asked for, as a text."""
    network, weights = section_of(run, stage).network, weights_of(run, stage)
    refine = run.config.cams.refine if stage == "priors" else None
    keys = {**network.model_dump(exclude={"weights"}), "weights": [weights, Path(weights).is_file()]}
    return json.dumps([metadata.version("timm"), stage, refine, keys], sort_keys=True)


def _passed() -> set[str]:
    try:
        return set(read_json(RECORD)) if RECORD.is_file() else set()
    except UserError:
        return set()
