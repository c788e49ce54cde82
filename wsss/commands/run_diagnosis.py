"""Checks of a run's results, for `wsss doctor RUN`."""

from collections.abc import Iterator

from wsss.commands.findings import Finding
from wsss.runs.file_times import stages_of_lost_times
from wsss.runs.run import RESULTS, load_run

#: what people ask a run for, first
TARGETS = ("val_miou.txt", "report.html")


def examine_run(name: str) -> Iterator[Finding]:
    """Check a run's results. Raises UserError when the run's configuration is faulty."""
    run = load_run(name)
    targets = [path for path in (RESULTS / name / file for file in TARGETS) if path.is_file()]
    if lost := stages_of_lost_times(run):
        detail = f"{', '.join(lost)}: older than what they were made from, as after cp -r without -p"
        touch = f"snakemake --cores 1 --touch {' '.join(map(str, targets)) or 'TARGET'}"
        yield Finding("note", f"file times of {name}", detail, f"{touch} (copies keep times with cp -a)")
    else:
        yield Finding("ok", f"file times of {name}", "in the order in which the files were made")
