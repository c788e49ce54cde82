"""Computes costs on a pretended GPU: `python -m wsss.plan.measure`, a process of its own.

Reads JSON, a configuration and a list of what is asked for; writes JSON, the costs by key.
"""

import json
import os
import sys
import warnings
from typing import Any

from wsss.plan.guard import load_guard

if __name__ == "__main__":
    load_guard()

import torch

from wsss.config import RunConfig
from wsss.plan.costs import costs
from wsss.plan.figures import NETWORKS, Asked
from wsss.plan.inferences import pretended_inference
from wsss.plan.pretended_gpu import pretended_gpu
from wsss.plan.trainings import Subject, batch_of, networks_of, section_of, to_device_batch, trainer_of_stage

#: images of a batch, the least that batch norm over pooled features takes
FEW = 2


def measured(config: RunConfig, asked: Asked) -> dict[str, Any]:
    """The costs of a step of a training, or of a stack of an inference."""
    subject = Subject(asked.size, asked.classes)
    precision = {"half": "bf16"}.get(asked.precision, asked.precision)
    with pretended_gpu():
        if asked.stage in NETWORKS:
            inference = pretended_inference(config, asked.stage, subject, precision=precision)
            return costs([inference.model], inference.run, 1).as_json()
        trainer, _ = trainer_of_stage(config, asked.stage, subject, images=FEW, precision=precision)

        def step(images: int) -> None:
            batch = batch_of(asked.stage, section_of(config, asked.stage), subject, images)
            next(trainer.steps([to_device_batch(batch)]))

        return costs(networks_of(trainer.task), step, FEW).as_json()


def main() -> None:
    """From standard input to standard output."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    values, asked = json.load(sys.stdin)
    config = RunConfig.model_validate_json(json.dumps(values))
    found = {}
    for stage, size, classes, precision in asked:
        one = Asked(stage, tuple(size), classes, precision)
        found[one.key(config)] = measured(config, one)
    print(json.dumps(found))
    # Threads of autograd that pretend to have a device are not joined.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
