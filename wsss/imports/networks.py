"""Imports a network that was trained elsewhere, such as a released one, in place of a run's training.

It is checked tensor by tensor, written in this package's format under the run's `given/`, and entered in the
run's file by its fingerprint. No rule trains that stage any more, and later stages use the imported network.
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
from wsss.imports.entry import new_entry
from wsss.models.published import match_tensors, released_names
from wsss.models.weights import read_tensors
from wsss.runs.run import Run
from wsss.runs.stages import STAGES
from wsss.store.files import read_json
from wsss.store.networks import Header, new_network, read_header, save_model

#: backbones of released networks that differ from what a run would train
RELEASED_BACKBONES = {"PoolNet": "resnet50_caffe"}


def import_weights(run: Run, stage: str, source: Path, *, directory: str | Path = "config") -> Path:
    """Import the network in `source` in place of a run's training; returns its new path.

    stage: one of `wsss.runs.stages.importable("network")`. source: a state dict under any of the released
    namings, see `wsss.models.published`, or a model of this package. directory: of the runs' files; this
    run's file is edited. Raises UserError naming every tensor that is missing, unexpected, of another shape
    or not finite; nothing is written then.
    """
    run.section(stage)  # Raises UserError when the run has no such stage.
    header = _own_header(source) or _released_header(run, stage)
    _check(header, run, stage, source)
    network = _filled(header, read_tensors(source), f"{source}: {_described(header, stage)}")
    fingerprint = fingerprint_of(network, header)
    entry = new_entry(
        run, stage, fingerprint, command="import-weights", source=source.name, directory=directory
    )
    header = replace(header, digest=entry.run.digest(stage))
    target = entry.run.output(stage)
    # The same network again must not be newer than the files that were computed from it.
    if _own_header(target) != header:
        save_model(target, network, header)
    entry.write()
    return target


def fingerprint_of(network: nn.Module, header: Header) -> str:
    """12 hexadecimal digits that identify a network: its header, and each of its tensors."""
    fields = {key: value for key, value in asdict(header).items() if key not in ("digest", "version")}
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def classes_of(run: Run) -> tuple[str, ...]:
    """Foreground classes of a run's data set. Raises UserError when its images must be indexed first."""
    dataset = run.config.dataset
    index = run.output("index", dataset.train).with_suffix(".json")
    if index.is_file():
        return tuple(read_json(index)["classes"])
    if dataset.kind == "voc":
        return voc_classes(dataset.root)
    raise UserError(f"{index}: no such file; it names the classes: snakemake --cores 1 {index}")


def _own_header(path: Path) -> Header | None:
    """The header of a model of this package; None of any other file, or without a file."""
    try:
        return read_header(path)
    except UserError:
        return None


def _released_header(run: Run, stage: str) -> Header:
    """The header that the run's configuration asks for, of a network without one."""
    network: Any = attrgetter(STAGES[stage].section)(run.config).network
    architecture = STAGES[stage].architecture
    return Header(
        architecture,
        RELEASED_BACKBONES.get(architecture, network.backbone),
        network.output_stride,
        classes_of(run),
        digest="",
        head_norm=getattr(network, "head_norm", "group"),
    )


def _check(header: Header, run: Run, stage: str, source: Path) -> None:
    if header.architecture != (wanted := STAGES[stage].architecture):
        raise UserError(f"{source}: holds a {header.architecture}; {stage} is a {wanted}")
    if header.classes != classes_of(run):
        raise UserError(f"{source}: knows {', '.join(header.classes)}; run {run.name} has other classes")


def _described(header: Header, stage: str) -> str:
    shape = f"{header.backbone}, {len(header.classes)} classes"
    return f"{header.architecture} of {shape} ({STAGES[stage].section}.network of the run)"


def _filled(header: Header, tensors: dict[str, Tensor], source: str) -> nn.Module:
    with torch.device("meta"):  # Initial weights would take seconds, and all are replaced.
        network = new_network(header).eval()
    network = network.to_empty(device="cpu")
    renamed = match_tensors(network.state_dict(), tensors, released_names, source=source)
    if wrong := [name for name, tensor in renamed.items() if not tensor.isfinite().all()]:
        raise UserError(f"{source}: not finite ({len(wrong)}): {', '.join(wrong[:30])}")
    network.load_state_dict(renamed)
    return network
