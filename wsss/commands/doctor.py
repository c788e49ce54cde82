"""Check this machine (versions, GPUs, CRF, data, Slurm, disk, caches), and say how to get what is missing."""

import argparse
import sys

from wsss.progress import print_styled

HELP = "check this machine: what works, what is missing, how to get it"
#: state -> its style on a terminal, by Rich's names
STYLES = {"ok": "", "note": "yellow", "missing": "red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A run, to check its results."""
    parser.add_argument("run_name", nargs="?", metavar="RUN", help="check the results of this run instead")


def run(arguments: argparse.Namespace) -> int:
    """Print a line per check, with the remedy below it; 1 when something is missing that everyone needs."""
    # Imported here: torch takes seconds, which the help does not need.
    from wsss.commands.diagnosis import examine
    from wsss.commands.run_diagnosis import examine_run

    missing = 0
    for finding in examine_run(arguments.run_name) if arguments.run_name else examine():
        missing += finding.state == "missing"
        print_styled(
            f"{finding.state:<8} {finding.name}: {finding.detail}", STYLES[finding.state], sys.stdout
        )
        if finding.remedy:
            print(f"{'':8} → {finding.remedy}")
        sys.stdout.flush()
    print(f"\n{missing} missing" if missing else "\nnothing is missing")
    return 1 if missing else 0
