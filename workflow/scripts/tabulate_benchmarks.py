"""Print what each rule of a run took. What the run shares with those it extends is told there."""

import argparse
import sys

from wsss.errors import UserError
from wsss.report.costs import costs_table
from wsss.runs.run import RESULTS, load_run

if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--run", default="shapes", help="name of the run, by default shapes")
    try:
        run = load_run(arguments.parse_args().run)
        print(costs_table(RESULTS / run.name / "benchmarks"))
    except UserError as error:
        sys.exit(f"error: {error}")
