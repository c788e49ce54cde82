"""See that timm has the networks and initial weights of trainings; print, as JSON, what each lacks."""

import argparse
import json

from wsss.runs.run import load_run
from wsss.training.network_checks import network_fault

if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("trainings", nargs="+", metavar="RUN/STAGE", help="such as voc12/oc")
    faults = {}
    for training in arguments.parse_args().trainings:
        run, stage = training.split("/")
        if fault := network_fault(load_run(run), stage):
            faults[training] = fault
    print(json.dumps(faults))
