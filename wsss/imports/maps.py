"""Imports CAMs or saliency that were computed elsewhere, such as released ones, in place of a run's own.

They are checked image by image, written in this package's format under the run's `given/`, and entered in the
run's file by their fingerprint. No rule computes them any more, nor the stages that only they need.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wsss.data.index import SHOWN_FAULTS, Index, Record
from wsss.errors import UserError
from wsss.imports.entry import imported_maps, new_entry
from wsss.imports.released import released_cams, released_saliency
from wsss.progress import track
from wsss.runs.run import Run
from wsss.runs.stages import STAGES
from wsss.store.cams import CamMaps, CamShard
from wsss.store.files import atomic_directory, read_json, write_json
from wsss.store.label_maps import write_label_shard
from wsss.store.maps import write_shard

SHOWN_IDS = 20


def import_maps(
    run: Run, stage: str, sources: Sequence[Path], *, directory: str | Path = "config", progress: bool = True
) -> Path:
    """Import the maps in `sources` in a stage's place; returns the file that describes them.

    stage: one of `wsss.runs.stages.importable("maps")`. sources: directories with a file <id>.npy (CAMs) or
    <id>.png for every image of the training split, and for all images of the validation split or none; an
    image without labels needs no file. directory: of the runs' files; this run's file is edited. Raises
    UserError naming files that are missing, unexpected or duplicate, or do not fit their image; nothing is
    written then.
    """
    run.section(stage)  # Raises UserError when the run has no such stage.
    data = run.config.dataset
    splits = [index_of(run, split) for split in dict.fromkeys((data.train, data.val))]
    released = _released_form(stage, splits[0].classes)
    files, faults = _files(sources, released.suffix, splits)
    indexes = [splits[0], *(index for index in splits[1:] if data.val_labels and _any_of(index, files))]
    for index in indexes:
        missing = [record.id for record in index if record.labels and record.id not in files]
        faults += _listed(f"missing of {index.split}", missing)
    fingerprint = _fingerprint(released, indexes, files, faults, progress=progress)
    if faults:
        more = [f"and {len(faults) - SHOWN_FAULTS} more"] if len(faults) > SHOWN_FAULTS else []
        raise UserError("\n  ".join([f"{stage} of run {run.name}:", *faults[:SHOWN_FAULTS], *more]))
    names = ", ".join(source.name for source in sources)
    entry = new_entry(run, stage, fingerprint, command="import-maps", source=names, directory=directory)
    description, digest = imported_maps(entry.run, stage), entry.run.digest(stage)
    # The same maps again must not be newer than the files that were computed from them.
    if not description.is_file() or read_json(description)["digest"] != digest:
        shards = run.config.cams.shards
        with atomic_directory(description.parent) as part:
            for index, number in track(
                [(index, number) for index in indexes for number in range(shards)],
                label=f"writing {stage}",
                unit="shards",
                enabled=progress,
            ):
                maps = (released.read(files.get(record.id), record) for record in index.shard(number, shards))
                shard = entry.run.output(stage, index.split, f"{number:03d}")
                released.write(part / shard.relative_to(description.parent), maps, digest)
            images = {index.split: len(index) for index in indexes}
            write_json(part / description.name, {"digest": digest, "images": images})
    entry.write()
    return description


@dataclass(frozen=True)
class _ReleasedForm:
    """Form of released maps. suffix: of their files. read: the maps of an image, from its file or from None.

    arrays: the arrays of an image's maps. write: a shard of maps, with a digest.
    """

    suffix: str
    read: Callable[[Path | None, Record], Any]
    arrays: Callable[[Any], Iterable[np.ndarray]]
    write: Callable[[Path, Iterable[Any], str], None]


def _released_form(stage: str, classes: Sequence[str]) -> _ReleasedForm:
    if STAGES[stage].shards == CamShard.__name__:

        def arrays(maps: CamMaps) -> Iterable[np.ndarray]:
            return (maps.keys, *maps.merged.values())

        def write(path: Path, maps: Iterable[CamMaps], digest: str) -> None:
            write_shard(path, maps, digest=digest)

        return _ReleasedForm(".npy", partial(released_cams, classes=classes), arrays, write)

    def read(path: Path | None, record: Record) -> tuple[str, np.ndarray]:
        return record.id, released_saliency(path, record, masks=stage == "saliency_crf")

    def write_maps(path: Path, maps: Iterable[tuple[str, np.ndarray]], digest: str) -> None:
        write_label_shard(path, maps, digest=digest)

    return _ReleasedForm(".png", read, lambda maps: maps[1:], write_maps)


def index_of(run: Run, split: str) -> Index:
    """A split's index. Raises UserError saying what to type where it is not made."""
    path = run.output("index", split)
    if not path.is_file():
        raise UserError(f"{path}: no such file; it names the images: snakemake --cores 1 {path}")
    index = Index.read(path)
    if index.digest != run.digest("index"):
        raise UserError(f"{path}: made from another configuration: snakemake --cores 1 {path}")
    return index


def _files(
    sources: Sequence[Path], suffix: str, indexes: Sequence[Index]
) -> tuple[dict[str, Path], list[str]]:
    """The file of each image, by id; and the faults of the directories."""
    files: dict[str, Path] = {}
    faults, duplicates = [], []
    for source in sources:
        if not source.is_dir():
            faults.append(f"{source}: no such directory")
        for path in sorted(source.glob(f"*{suffix}")):
            duplicates += [path.stem] if path.stem in files else []
            files[path.stem] = path
    ids = {record.id for index in indexes for record in index}
    splits = " nor ".join(index.split for index in indexes)
    unexpected = [name for name in files if name not in ids]
    return files, [
        *faults,
        *_listed("duplicate", duplicates),
        *_listed(f"unexpected, in neither {splits}", unexpected),
    ]


def _any_of(index: Index, files: Mapping[str, Path]) -> bool:
    return any(record.id in files for record in index)


def _listed(fault: str, ids: Sequence[str]) -> list[str]:
    more = f" and {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else ""
    return [f"{fault} ({len(ids)}): {', '.join(ids[:SHOWN_IDS])}{more}"] if ids else []


def _fingerprint(
    released: _ReleasedForm,
    indexes: Sequence[Index],
    files: Mapping[str, Path],
    faults: list[str],
    *,
    progress: bool,
) -> str:
    """12 hexadecimal digits that identify all maps; adds the faults of single maps to `faults`."""
    digest, brightest = hashlib.sha256(), 0
    for index in indexes:
        for record in track(index, label=f"checking {index.split}", total=len(index), enabled=progress):
            if record.labels and record.id not in files:
                continue
            try:
                maps = released.read(files.get(record.id), record)
            except UserError as error:
                faults.append(str(error))
                continue
            digest.update(f"{index.split} {record.id}".encode())
            for array in released.arrays(maps):
                digest.update(f"{array.dtype} {array.shape}".encode())
                digest.update(array.tobytes())
                brightest = max(brightest, array.max(initial=0) if array.dtype == np.uint8 else 0)
    if brightest == 1:
        faults.append("all maps hold only 0 and 1; salient pixels must be 255")
    return digest.hexdigest()[:12]
