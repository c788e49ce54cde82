"""See that the pretrained weights of trainings can be had, before any of them starts."""

import argparse
import sys
from operator import attrgetter

from wsss.errors import UserError
from wsss.inference.attention_cams import require_attention
from wsss.models.weights import check_weights, license_of
from wsss.progress import LOGGER, log_to
from wsss.runs.run import load_run
from wsss.runs.stages import STAGES

if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("trainings", nargs="+", metavar="RUN/STAGE", help="such as voc12/oc")
    log_to()
    wrong = 0
    for training in arguments.parse_args().trainings:
        run, stage = training.split("/")
        config = load_run(run).config
        network = attrgetter(STAGES[stage].section)(config).network
        try:
            if stage == "priors":
                require_attention(network.backbone, config.cams.refine)
            check_weights(network.backbone, network.weights)
            if network.weights == "imagenet":
                LOGGER.info(
                    "%s: weights of %s, license %s", training, network.backbone, license_of(network.backbone)
                )
        except UserError as error:
            LOGGER.error("error: %s of run %s: %s", stage, run, error)
            wrong = 1
    sys.exit(wrong)
