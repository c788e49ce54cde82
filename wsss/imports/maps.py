"""Takes CAMs or saliency that were made elsewhere, released ones say, as the maps of a stage of a run.

They are checked image by image, written in this package's form under the run's `given/`, and named in the
run's file by their fingerprint. So no rule makes them any more, nor what they would be made of.
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
from wsss.imports.entry import described, entry
from wsss.imports.released import released_cams, released_saliency
from wsss.progress import track
from wsss.runs.run import Run
from wsss.store.cams import CamMaps
from wsss.store.files import atomic_directory, read_json, write_json
from wsss.store.label_maps import write_label_shard
from wsss.store.maps import write_shard

SHOWN_IDS = 20


def give_maps(
    run: Run, stage: str, sources: Sequence[Path], *, directory: str | Path = "config", progress: bool = True
) -> Path:
    """Make the maps in `sources` those of a stage of a run; returns the file that describes them.

    stage: one of `wsss.runs.stages.GIVEN_MAPS`. sources: directories with a file <id>.npy (CAMs) or <id>.png
    for every image of the training split, and for every one of the validation split or for none; an image
    without labels may have none. directory: of the runs' files, of which this one's is edited. Raises
    UserError with what is missing, left over, there twice, or does not fit its image; then nothing was
    written.
    """
    run.section(stage)  # which tells those who ask for a stage that the run has not
    data = run.config.dataset
    known = [_index(run, split) for split in dict.fromkeys((data.train, data.val))]
    kind = _kind(stage, known[0].classes)
    files, faults = _files(sources, kind.suffix, known)
    given = [known[0], *(index for index in known[1:] if data.val_labels and _any_of(index, files))]
    for index in given:
        missing = [record.id for record in index if record.labels and record.id not in files]
        faults += _listed(f"missing of {index.split}", missing)
    fingerprint = _fingerprint(kind, given, files, faults, progress=progress)
    if faults:
        more = [f"and {len(faults) - SHOWN_FAULTS} more"] if len(faults) > SHOWN_FAULTS else []
        raise UserError("\n  ".join([f"{stage} of run {run.name}:", *faults[:SHOWN_FAULTS], *more]))
    of = ", ".join(source.name for source in sources)
    entered = entry(run, stage, fingerprint, by="import-maps", of=of, directory=directory)
    about, digest = described(entered.run, stage), entered.run.digest(stage)
    # The same maps again must not look newer than what was made of them.
    if not about.is_file() or read_json(about)["digest"] != digest:
        shards = run.config.cams.shards
        with atomic_directory(about.parent) as part:
            for index, number in track(
                [(index, number) for index in given for number in range(shards)],
                label=f"writing {stage}",
                unit="shards",
                enabled=progress,
            ):
                maps = (kind.read(files.get(record.id), record) for record in index.shard(number, shards))
                kind.write(part / index.split / f"{number:03d}{kind.ending}", maps, digest)
            write_json(part / about.name, {"digest": digest, "images": {i.split: len(i) for i in given}})
    entered.write()
    return about


@dataclass(frozen=True)
class _Kind:
    """What is given, and what becomes of it.

    suffix: of the files that are given. read: the maps of an image, of its file or of none. arrays: of which
    they consist. write: a shard of them, with a digest. ending: of a shard's name.
    """

    suffix: str
    read: Callable[[Path | None, Record], Any]
    arrays: Callable[[Any], Iterable[np.ndarray]]
    write: Callable[[Path, Iterable[Any], str], None]
    ending: str


def _kind(stage: str, classes: Sequence[str]) -> _Kind:
    if stage == "cams":

        def arrays(maps: CamMaps) -> Iterable[np.ndarray]:
            return (maps.keys, *maps.merged.values())

        def write(path: Path, maps: Iterable[CamMaps], digest: str) -> None:
            write_shard(path, maps, digest=digest)

        return _Kind(".npy", partial(released_cams, classes=classes), arrays, write, ".safetensors")

    def read(path: Path | None, record: Record) -> tuple[str, np.ndarray]:
        return record.id, released_saliency(path, record, masks=stage == "saliency_crf")

    def write_maps(path: Path, maps: Iterable[tuple[str, np.ndarray]], digest: str) -> None:
        write_label_shard(path, maps, digest=digest)

    return _Kind(".png", read, lambda maps: maps[1:], write_maps, "")


def _index(run: Run, split: str) -> Index:
    path = run.directory("index") / "index" / f"{split}.csv"
    if not path.is_file():
        raise UserError(f"{path}: no such file, but it names the images: snakemake --cores 1 {path}")
    index = Index.read(path)
    if index.digest != run.digest("index"):
        raise UserError(f"{path}: made from another configuration: snakemake --cores 1 {path}")
    return index


def _files(sources: Sequence[Path], suffix: str, known: Sequence[Index]) -> tuple[dict[str, Path], list[str]]:
    """By image id, its file; and what is wrong with what there is."""
    files: dict[str, Path] = {}
    faults, twice = [], []
    for source in sources:
        if not source.is_dir():
            faults.append(f"{source}: no such directory")
        for path in sorted(source.glob(f"*{suffix}")):
            twice += [path.stem] if path.stem in files else []
            files[path.stem] = path
    ids = {record.id for index in known for record in index}
    splits = " nor ".join(index.split for index in known)
    left_over = [name for name in files if name not in ids]
    return files, [
        *faults,
        *_listed("there twice", twice),
        *_listed(f"left over, not of {splits}", left_over),
    ]


def _any_of(index: Index, files: Mapping[str, Path]) -> bool:
    return any(record.id in files for record in index)


def _listed(what: str, ids: Sequence[str]) -> list[str]:
    more = f" and {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else ""
    return [f"{what} ({len(ids)}): {', '.join(ids[:SHOWN_IDS])}{more}"] if ids else []


def _fingerprint(
    kind: _Kind, given: Sequence[Index], files: Mapping[str, Path], faults: list[str], *, progress: bool
) -> str:
    """12 hexadecimal digits that stand for all maps; what is wrong with one is added to `faults`."""
    found, brightest = hashlib.sha256(), 0
    for index in given:
        for record in track(index, label=f"checking {index.split}", total=len(index), enabled=progress):
            if record.labels and record.id not in files:
                continue
            try:
                maps = kind.read(files.get(record.id), record)
            except UserError as error:
                faults.append(str(error))
                continue
            found.update(f"{index.split} {record.id}".encode())
            for array in kind.arrays(maps):
                found.update(f"{array.dtype} {array.shape}".encode())
                found.update(array.tobytes())
                brightest = max(brightest, array.max(initial=0) if array.dtype == np.uint8 else 0)
    if brightest == 1:
        faults.append("all maps hold 0 and 1 alone; salient is 255")
    return found.hexdigest()[:12]
