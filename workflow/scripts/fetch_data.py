"""Download and unpack the archives of a data set, if nothing lies at its root yet."""

from wsss.data.archives import fetch_archives
from wsss.errors import UserError
from wsss.runs.step import Step, parser, run_step
from wsss.store.files import write_json


def fetch_data(step: Step) -> None:
    """Write the data set to its root, and a list of what was downloaded."""
    data, run = step.run.config.dataset, step.run.name
    if data.archives is None:
        raise UserError(
            f"run {run}: its data set names no archives to download; list them as config/archives/voc12.yaml "
            "does, in a file that dataset.archives names, or put the data set where the run expects it"
        )
    archives = fetch_archives(data.archives, data.root, progress=step.machine.progress)
    fetched = {"run": run, "digest": step.digest, "root": str(data.root), "archives": archives}
    write_json(step.arguments.out, fetched)


if __name__ == "__main__":
    arguments = parser(__doc__, "out")
    run_step("index", fetch_data, arguments.parse_args())
