"""What networks and maps that a run is given have in common: a fingerprint, which the run's file names.

A stage whose output is given is not made. What follows depends on its fingerprint alone, and reads what lies
under the run's `given/`.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from wsss.config.edit import with_key
from wsss.errors import UserError
from wsss.runs.run import Run, stages
from wsss.runs.stages import GIVEN_MAPS, STAGES, before, selects_epoch
from wsss.store.files import read_json, write_text


@dataclass(frozen=True)
class Entry:
    """What a run's file is to say. run: as it is then. text: of the whole file; None where it says so."""

    run: Run
    file: Path
    text: str | None

    def write(self) -> None:
        """Let the file say so."""
        if self.text is not None:
            write_text(self.file, self.text)


def entry(run: Run, stage: str, fingerprint: str, *, by: str, of: str, directory: str | Path) -> Entry:
    """The entry of what a stage is given. by, of: the command and what it was given, for a comment.

    directory: of the runs' files. Raises UserError when the file is of a form that cannot be edited.
    """
    given = run.config.given.model_copy(update={stage: fingerprint})
    file, text = Path(directory, f"{run.name}.yaml"), None
    if given != run.config.given:
        text = file.read_text(encoding="utf-8")
        text = with_key(
            text, "given", stage, fingerprint, comment=f"wsss {by}: {json.dumps(of)}", file=str(file)
        )
    return Entry(replace(run, config=run.config.model_copy(update={"given": given})), file, text)


def described(run: Run, stage: str) -> Path:
    """The file that says which maps a run is given: their digest, and of how many images of which splits."""
    return run.place(stage) / stage / "about.json"


def has_maps(run: Run, stage: str, split: str) -> bool:
    """Whether a stage's maps of a split can be had: maps that they are made of may be given without it."""
    if stage in GIVEN_MAPS and run.given(stage):
        return split in read_json(described(run, stage))["images"]
    made_of = [name for name in before(run.config, stage) if STAGES[name].sharded or name == "cams"]
    return all(has_maps(run, name, split) for name in made_of)


def require_given(run: Run) -> None:
    """See that what a run is given is there, as no rule makes it. Raises UserError with what to do."""
    for stage in stages(run):
        if not run.given(stage):
            continue
        maps = stage in GIVEN_MAPS
        path = described(run, stage) if maps else run.model(stage)
        again = f"--run {run.owner(stage).name} --stage {stage}"
        again = f"wsss import-maps DIR {again}" if maps else f"wsss import-weights FILE {again}"
        if not path.is_file():
            raise UserError(f"config/{run.name}.yaml gives {stage}, but there is no {path}: {again}")
        if maps and read_json(path)["digest"] != run.digest(stage):
            raise UserError(
                f"config/{run.name}.yaml gives {stage}, but {path.parent} was imported for another data set "
                f"or number of shards than the run has now: {again}"
            )
    val, made = run.config.dataset.val, stages(run)
    if "pseudo_labels" in made and selects_epoch(run.config) and not has_maps(run, "pseudo_labels", val):
        raise UserError(
            f"config/{run.name}.yaml gives CAMs without those of {val}, by whose pseudo labels the network's "
            "epoch is chosen: import them, too, or set segmentation.training.selection: last"
        )
