"""See that the pretrained weights of runs can be had, before anything trains; fetch those that need it."""

import argparse
import sys

from wsss.errors import UserError
from wsss.models.weights import check_weights
from wsss.progress import LOGGER, log_to
from wsss.runs import load_run

if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("runs", nargs="+", help="names of runs")
    log_to()
    runs = [load_run(name) for name in arguments.parse_args().runs]
    networks = {network for run in runs for network in run.networks}
    try:
        for network in networks:
            check_weights(network.backbone, network.weights)
    except UserError as error:
        LOGGER.error("error: %s", error)
        sys.exit(1)
