"""Import corrected masks and labels: a run that extends the corrected one and makes again what they change.

FILE is what a tool has exported (COCO, CVAT, Label Studio, a directory of YOLO or of images, masks and
classes.txt) or what `wsss review` has written. Masks that differ from the run's pseudo labels replace these.
Labels change where they are stated for a whole photograph (choices, tags, a review), and where a mask shows a
further class. Nothing is trained: the command says what is made again, and how.
"""

import argparse
from pathlib import Path

HELP = "import corrected masks and labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, the file, and the run."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    importing = actions.add_parser("import", help="make a run with the corrections", description=__doc__)
    importing.add_argument("file", type=Path, metavar="FILE", help="file or directory of the corrections")
    importing.add_argument("--run", dest="run_name", required=True, help="run that is corrected")
    importing.add_argument("--name", help="name of the corrected run, by default <run>-corrected")


def run(arguments: argparse.Namespace) -> int:
    """Import, and say what is made again."""
    from wsss.imports.annotations import read_any, read_file
    from wsss.imports.corrections import import_corrections
    from wsss.progress import log_to
    from wsss.runs.run import load_run

    log_to()
    asked, file = load_run(arguments.run_name), arguments.file
    found = read_any(file, folders=False) if file.is_dir() else read_file(file)
    name = arguments.name or f"{asked.name}-corrected"
    done = import_corrections(asked, found, file, name)
    print(
        f"{file}: {found.form}; {done.masks} masks replace pseudo labels, {done.labels} photographs have "
        f"other labels, {done.unchanged} are as they were\n"
        f"config/{name}.yaml: extends {asked.name}\n"
        f"  reused: {', '.join(done.kept) or 'nothing'}\n"
        f"  made again: {', '.join(done.made)}\n"
        f"now: snakemake --cores all results/{name}/val_miou.txt results/{name}/report.html\n"
        f"then: wsss compare {asked.name} {name}"
    )
    return 0
