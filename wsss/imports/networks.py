"""Takes a network that was trained elsewhere, a released one say, as the one of a stage of a run.

It is checked tensor by tensor, written in this package's form under the run's `given/`, and named in the
run's file by its fingerprint. So no rule trains that stage any more, and what follows is made of it.
"""

import hashlib
import json
from dataclasses import asdict, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wsss.data.voc import voc_classes
from wsss.errors import UserError
from wsss.imports.entry import entry
from wsss.models.published import released_names, take
from wsss.models.weights import read_tensors
from wsss.runs.run import Run
from wsss.runs.stages import STAGES
from wsss.store.files import read_json
from wsss.store.networks import Header, new_network, read_header, save_model

#: by stage whose network can be given, its architecture
ARCHITECTURES = {
    "oc": "Classifier",
    "priors": "Classifier",
    "c2am": "C2AM",
    "poolnet": "PoolNet",
    "affinity": "AffinityNet",
    "segmentation": "DeepLabV3Plus",
}
#: of PoolNet as released, whatever backbone the run would train it with
POOLNET_BACKBONE = "resnet50_caffe"


def give(run: Run, stage: str, source: Path, *, directory: str | Path = "config") -> Path:
    """Make the network in `source` that of a stage of a run; returns where it lies.

    stage: one of `ARCHITECTURES`. source: a state dict under any of the released namings, see
    `wsss.models.published`, or a model of this package. directory: of the runs' files, of which this one's is
    edited. Raises UserError naming every tensor that is missing, left over, of another shape or not finite;
    then nothing was written.
    """
    run.section(stage)  # which tells those who ask for a stage that the run has not
    header = _own_header(source) or _released_header(run, stage)
    _check(header, run, stage, source)
    network = _filled(header, read_tensors(source), f"{source}: {_described(header, stage)}")
    fingerprint = fingerprint_of(network, header)
    entered = entry(run, stage, fingerprint, by="import-weights", of=source.name, directory=directory)
    header = replace(header, digest=entered.run.digest(stage))
    target = entered.run.model(stage)
    # The same network again must not look newer than what was made of it.
    if _own_header(target) != header:
        save_model(target, network, header)
    entered.write()
    return target


def fingerprint_of(network: nn.Module, header: Header) -> str:
    """12 hexadecimal digits that stand for a network: what it is, and each of its tensors."""
    about = {key: value for key, value in asdict(header).items() if key not in ("digest", "version")}
    found = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, tensor in sorted(network.state_dict().items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()[:12]


def classes_of(run: Run) -> tuple[str, ...]:
    """Foreground classes of a run's data set. Raises UserError when its images must be indexed to tell."""
    dataset = run.config.dataset
    about = run.directory("index") / "index" / f"{dataset.train}.json"
    if about.is_file():
        return tuple(read_json(about)["classes"])
    if dataset.kind == "voc":
        return voc_classes(dataset.root)
    raise UserError(f"{about}: no such file, but it names the classes: snakemake --cores 1 {about}")


def _own_header(path: Path) -> Header | None:
    """What a model of this package says it is; None of any other file, or where there is none."""
    try:
        return read_header(path)
    except UserError:
        return None


def _released_header(run: Run, stage: str) -> Header:
    """What a network without a header must be, by the run's configuration."""
    network: Any = attrgetter(STAGES[stage].section)(run.config).network
    return Header(
        ARCHITECTURES[stage],
        POOLNET_BACKBONE if stage == "poolnet" else network.backbone,
        network.output_stride,
        classes_of(run),
        digest="",
        head_norm=getattr(network, "head_norm", "group"),
    )


def _check(header: Header, run: Run, stage: str, source: Path) -> None:
    if header.architecture != ARCHITECTURES[stage]:
        raise UserError(f"{source}: holds a {header.architecture}; {stage} is a {ARCHITECTURES[stage]}")
    if header.classes != classes_of(run):
        raise UserError(f"{source}: knows {', '.join(header.classes)}; run {run.name} has other classes")


def _described(header: Header, stage: str) -> str:
    shape = f"{header.backbone}, {len(header.classes)} classes"
    return f"{header.architecture} of {shape} ({STAGES[stage].section}.network of the run)"


def _filled(header: Header, found: dict[str, Tensor], source: str) -> nn.Module:
    with torch.device("meta"):  # else it would be initialised at length, for nothing
        network = new_network(header).eval()
    network = network.to_empty(device="cpu")
    taken = take(network.state_dict(), found, released_names, source=source)
    if wrong := [name for name, tensor in taken.items() if not tensor.isfinite().all()]:
        raise UserError(f"{source}: not finite ({len(wrong)}): {', '.join(wrong[:30])}")
    network.load_state_dict(taken)
    return network
