"""Make the CAMs of one shard of a split, with test-time augmentation."""

from pathlib import Path

from wsss.data.index import Index
from wsss.data.maps import write_shard
from wsss.devices import torch_device
from wsss.inference.cams import cam_maps
from wsss.model_file import load_classifier
from wsss.step import Step, parser, run_step


def main(step: Step) -> None:
    """Infer."""
    given, cams, machine = step.arguments, step.section, step.machine
    index = Index.read(given.index)
    step.require("index", index.digest, given.index)
    model, header = load_classifier(given.model)
    step.require("priors", header.digest, given.model)
    maps = cam_maps(
        model,
        index,
        shard=(given.shard, cams.shards),
        scales=cams.scales,
        flip=cams.flip,
        precision=cams.precision,
        device=torch_device(threads=1),
        batch=machine.inference_batch,
        workers=machine.workers,
        progress=machine.progress,
    )
    write_shard(given.out, maps, digest=step.digest)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--model", required=True, type=Path, help="the generator")
    arguments.add_argument("--shard", required=True, type=int, help="number of the shard, from 0")
    arguments.add_argument("--out", required=True, type=Path, help="the shard's score maps")
    run_step("cams", main, arguments.parse_args(), devices=1)
