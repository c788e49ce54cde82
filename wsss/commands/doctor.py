"""Versions, devices, CRF, data, SLURM, disk of this machine: what works, what is missing, what to type."""

import argparse

from wsss.doctor import examine

HELP = "what works on this machine, what is missing, and what to type"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: it looks at everything."""


def run(_: argparse.Namespace) -> int:
    """Print a line per finding, and what to type below; 1 when something is missing that everyone needs."""
    missing = 0
    for finding in examine():
        missing += finding.state == "missing"
        print(f"{finding.state:<8} {finding.what}: {finding.found}", flush=True)
        if finding.remedy:
            print(f"{'':8} → {finding.remedy}")
    print(f"\n{missing} missing" if missing else "\nnothing is missing")
    return 1 if missing else 0
