"""See that the initial weights of trainings can be loaded or fetched, before any of them starts."""

import argparse
import sys

from wsss.errors import UserError
from wsss.models.weights import check_weights, license_of
from wsss.progress import LOGGER, log_to
from wsss.runs.networks import described, section_of
from wsss.runs.run import load_run

if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("trainings", nargs="+", metavar="RUN/STAGE", help="such as voc12/oc")
    log_to()
    faults = {}
    for training in arguments.parse_args().trainings:
        run, stage = training.split("/")
        network = section_of(load_run(run), stage).network
        try:
            check_weights(network.backbone, network.weights)
            if network.weights == "imagenet":
                LOGGER.info(
                    "%s: weights of %s, license %s", training, network.backbone, license_of(network.backbone)
                )
        except UserError as error:
            faults[training] = str(error)
    if faults:
        LOGGER.error("error: %s", described(faults))
    sys.exit(1 if faults else 0)
