"""Everything that computes on a GPU, on a pretended one; in a process of its own: `python dry_run.py
[large]`.

Prints JSON: by case, its waits by line of the package, or the error that ended it.
"""

import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from wsss.plan.guard import load_guard

if __name__ == "__main__":
    load_guard()

import torch

from wsss.config import RunConfig
from wsss.exports.network import Deployed
from wsss.inference.cam_network import CamNetwork
from wsss.models import Classifier
from wsss.plan.inferences import pretended_inference
from wsss.plan.pretended_gpu import GPU, Waits, pretended_gpu
from wsss.plan.trainings import Subject, network, not_on_gpu, to_device_batch, trainer_of_stage

PRECISIONS = ("float32", "bf16", "fp16")
#: backbone by precision, vision transformer, and side of the crops: as small as they may be, and as published
SMALL = (("resnet10t", "resnest14d", "resnet10t"), "vit_tiny_patch16_224", 96)
LARGE = (("resnest101e",) * 3, "vit_base_patch16_224", 512)
METHODS = ("puzzle", "occse", "poc", "pnoc")

Case = Callable[[Waits], None]


class Cases:
    """Every case by name. What it counts are the waits of a second step, or of a second stack of images."""

    def __init__(self, backbones: tuple[str, str, str], transformer: str, side: int) -> None:
        self.backbones, self.transformer, self.side = backbones, transformer, side
        self.backbone, self.subject = backbones[0], Subject((side, side + 32), 20)

    def config(self, **keys: Any) -> RunConfig:
        """A run with these sections, and a backbone for the precision that is theirs now."""
        shared = {"dataset": {"kind": "voc", "root": "voc"}, "network": {"backbone": self.backbone}}
        return RunConfig.from_values({**shared, **keys})

    def all(self) -> Iterator[tuple[str, Case]]:
        """All cases."""
        for precision, backbone in zip(PRECISIONS, self.backbones, strict=True):
            self.backbone = backbone
            for name, stage, keys in self.trainings():
                yield f"{name} {precision}", self.training(stage, self.config(**keys), precision=precision)
            for name, stage, keys in self.inferences(precision):
                yield f"{name} {precision}", self.inference(stage, self.config(**keys))
        for name, stage, keys in self.transformers():
            yield name, self.inference(stage, self.config(**keys))
        yield "export", self.export
        yield "control: an item() in the loop", self.training("oc", self.config(), spoiled=True)
        yield "control: a network on the CPU", self.left_on_the_cpu
        yield "control: numpy() of a GPU tensor", self.numpy_of_the_gpu

    def trainings(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Name, stage and sections."""
        crop = {"augmentation": {"crop": self.side}}
        yield "oc", "oc", {"oc": crop}
        for method in METHODS:
            yield method, "priors", {"priors": {"method": method, **crop}}
        published = {"noc": {"oc_gradient": "published"}, "erasing": {"choice": "focal"}}
        average = {"optimisation": {"ema": {"every": 1, "warmup_epochs": 0}, "max_grad_norm": 1.0}}
        yield "pnoc as published, averaged", "priors", {"priors": {**crop, **published, **average}}
        for method in ("c2am", "c2am_h"):
            yield method, "c2am", {"saliency": {"method": method, "c2am": crop}}
        yield "poolnet", "poolnet", {}
        yield "affinity", "affinity", {"affinity": {"training": {"radius": 5, **crop}}}
        yield "segmentation", "segmentation", {"segmentation": {"training": crop}}

    def inferences(self, precision: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Name, stage and sections."""
        keys = {"scales": [0.5, 1.0], "precision": precision}
        yield "cams", "cams", {"cams": keys}
        yield "c2am maps", "c2am_maps", {"saliency": {"maps": keys}}
        yield "saliency", "saliency", {"saliency": {"predictions": {"precision": precision}}}
        yield "masks", "masks", {"segmentation": {"masks": keys}}
        if precision == "float32":
            yield "walks", "walks", {"affinity": {"walk": {"side": self.side, "steps": 32}}}

    def transformers(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Name, stage and sections."""
        clip = "vit_base_patch16_clip_quickgelu_224"
        for name, method, backbone, refine in (
            ("cams refined along attention", "linear", self.transformer, "attention"),
            ("cams of CLIP-ES", "clip_es", clip, "none"),
        ):
            priors = {"method": method, "network": {"backbone": backbone}}
            cams = {"scales": [1.0], "refine": refine}
            yield name, "cams", {"priors": priors, "cams": cams, "saliency": {"method": "none"}}

    def training(
        self, stage: str, config: RunConfig, *, precision: str = "float32", spoiled: bool = False
    ) -> Case:
        """Two steps; spoiled: a task whose every step reads a number."""

        def case(waits: Waits) -> None:
            trainer, batch = trainer_of_stage(config, stage, self.subject, images=2, precision=precision)
            assert not not_on_gpu(trainer.task), not_on_gpu(trainer.task)
            if spoiled:
                objectives = trainer.task.objectives
                trainer.task.objectives = lambda batch, info: (  # type: ignore[method-assign]
                    batch["image"].sum().item(),
                    objectives(batch, info),
                )[1]
            steps = trainer.steps([to_device_batch(batch)] * 2)
            next(steps)
            waits.counts.clear()
            next(steps)

        return case

    def inference(self, stage: str, config: RunConfig) -> Case:
        """Two stacks of two images."""

        def case(waits: Waits) -> None:
            inference = pretended_inference(config, stage, self.subject)
            inference.run(2)
            waits.counts.clear()
            inference.run(2)

        return case

    def export(self, _: Waits) -> None:
        """The graph of a network on a GPU has no tensor elsewhere."""
        section = self.config().segmentation.training
        from wsss.models import DeepLabV3Plus

        made = Deployed(network(DeepLabV3Plus, section, self.subject)).to(GPU).eval()
        images = torch.zeros(2, 3, 96, 128, dtype=torch.uint8, device=GPU)
        graph = torch.export.export(made, (images,)).graph
        devices = {getattr(node.meta.get("val"), "device", GPU) for node in graph.nodes}
        assert devices == {GPU}, devices

    def left_on_the_cpu(self, _: Waits) -> None:
        """What a network says that nobody has moved."""
        section = self.config().priors
        maps = CamNetwork(network(Classifier, section, self.subject), GPU, "float32", False)
        maps.model.to("cpu")
        maps(torch.zeros(1, 64, 64, 3, dtype=torch.uint8), [[0]], "image")

    def numpy_of_the_gpu(self, _: Waits) -> None:
        """What torch says of a tensor that is not copied first."""
        torch.zeros(2, device=GPU).numpy()


def outcome(case: Case) -> dict[str, Any]:
    """What a case gave."""
    try:
        with pretended_gpu() as waits:
            case(waits)
        return {"waits": dict(waits.counts)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    cases = Cases(*(LARGE if sys.argv[1:] == ["large"] else SMALL))
    print(json.dumps({name: outcome(case) for name, case in cases.all()}))
    # Threads of autograd that pretend to have a device are not joined.
    sys.stdout.flush()
    os._exit(0)
