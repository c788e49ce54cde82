"""The entry of imported networks and maps in a run's file: which stage they replace, and their fingerprint.

A stage with such an entry is not computed. Later stages depend on the fingerprint alone, and read the files
under the run's `given/`.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from wsss.config.edit import with_key
from wsss.errors import UserError
from wsss.runs.choices import selects_epoch
from wsss.runs.run import Run, stages
from wsss.runs.stages import STAGES, before
from wsss.store.files import read_json, write_text


@dataclass(frozen=True)
class Entry:
    """A change of a run's file. run: after the change. text: of the whole file; None without a change."""

    run: Run
    file: Path
    text: str | None

    def write(self) -> None:
        """Change the file."""
        if self.text is not None:
            write_text(self.file, self.text)


def new_entry(
    run: Run, stage: str, fingerprint: str, *, command: str, source: str, directory: str | Path
) -> Entry:
    """The entry of what is imported in a stage's place, not written yet.

    command, source: for a comment. directory: of the runs' files. Raises UserError when the file is of a form
    that cannot be edited.
    """
    given = run.config.given.model_copy(update={stage: fingerprint})
    file, text = Path(directory, f"{run.name}.yaml"), None
    if given != run.config.given:
        comment = f"wsss {command}: {json.dumps(source)}"
        text = with_key(
            file.read_text(encoding="utf-8"), "given", stage, fingerprint, comment=comment, file=str(file)
        )
    return Entry(replace(run, config=run.config.model_copy(update={"given": given})), file, text)


def imported_maps(run: Run, stage: str) -> Path:
    """The file that describes the imported maps of a stage: their digest, and the images of each split."""
    return run.output(stage).parents[1] / "about.json"


def has_maps(run: Run, stage: str, split: str) -> bool:
    """Whether a stage's maps of a split can be computed: imported maps may lack the validation split."""
    if run.given(stage) and STAGES[stage].importable == "maps":
        return split in read_json(imported_maps(run, stage))["images"]
    return all(has_maps(run, name, split) for name in before(run.config, stage) if STAGES[name].sharded)


def require_imported(run: Run) -> None:
    """Require the files of all that a run imports; no rule makes them. Raises UserError with what to do."""
    for stage in (name for name in stages(run) if run.given(name)):
        maps = STAGES[stage].importable == "maps"
        path = imported_maps(run, stage) if maps else run.output(stage)
        command = "import-maps DIR" if maps else "import-weights FILE"
        again = f"wsss {command} --run {run.owner(stage).name} --stage {stage}"
        if not path.is_file():
            raise UserError(f"{run.file} imports {stage}, but {path} is missing: {again}")
        if maps and read_json(path)["digest"] != run.digest(stage):
            raise UserError(
                f"{run.file} imports {stage}, but {path.parent} was imported for another data "
                f"set or number of shards than the run has now: {again}"
            )
    labels, val = "pseudo_labels", run.config.dataset.val
    if labels in stages(run) and selects_epoch(run.config) and not has_maps(run, labels, val):
        raise UserError(
            f"{run.file} imports CAMs without those of {val}, and the network's epoch is chosen "
            "by the pseudo labels of that split: import its CAMs as well, or set "
            "segmentation.training.selection: last"
        )
