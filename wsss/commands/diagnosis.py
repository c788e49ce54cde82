"""Checks of a machine: what the workflow needs, what is missing, and how to get it."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from wsss.commands.findings import Finding, installed_version
from wsss.commands.slurm import slurm
from wsss.config import VocDataset
from wsss.config.section import Section
from wsss.config.training import BackboneConfig
from wsss.errors import UserError
from wsss.machine.builds import missing_kernels, supported_generations
from wsss.machine.caches import unwritable_caches
from wsss.machine.devices import count_gpus, driver_version
from wsss.runs.run import RESULTS, load_run, run_names

#: packages that results or the workflow depend on
PACKAGES = ("wsss", "torch", "torchvision", "timm", "numpy", "pillow", "snakemake")
#: licenses that leave the use of weights and results open
PERMISSIVE = ("apache-2.0", "mit", "bsd-3-clause")
#: GB of disk that a run of VOC's size needs: score maps, checkpoints of two large networks
LEAST_DISK = 50.0
#: GB of shared memory that data-loading processes need
LEAST_SHARED = 1.0

#: runs that are named in one line
SHOWN = 4


def examine() -> Iterator[Finding]:
    """All checks, in the directory from which Snakemake is started. Takes seconds: it imports torch."""
    yield from _versions()
    yield from _devices()
    yield _crf()
    yield from _data()
    yield from _weights()
    yield from slurm()
    yield from _disk()
    yield from _caches()


def _versions() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 14)
    remedy = "" if fits else "PYTHON=/path/to/python3.11 make install"
    yield Finding("ok" if fits else "missing", "Python", f"{python} in {sys.prefix}", remedy)
    for name in PACKAGES:
        found = installed_version(name)
        yield Finding(
            "ok" if found else "missing",
            name,
            found or "not installed",
            "" if found else "make install, then source .venv/bin/activate",
        )


def _devices() -> Iterator[Finding]:
    import torch

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield Finding("ok", "CPU", f"{len(os.sched_getaffinity(0))} cores, {memory:.0f} GB of memory")
    driver, usable = count_gpus(), torch.cuda.device_count()
    if usable:
        yield from gpu_findings(usable, driver)
    elif driver and torch.version.cuda is None:
        found = f"{driver}, but the installed torch is the CPU build"
        yield Finding("note", "GPU", found, "make install TORCH=cuda")
    elif driver:
        said = os.environ.get("CUDA_VISIBLE_DEVICES")
        why = f"CUDA_VISIBLE_DEVICES is {said!r}" if said is not None else "see nvidia-smi"
        remedy = "unset CUDA_VISIBLE_DEVICES, or update the driver"
        yield Finding("note", "GPU", f"{driver}, but torch can use none: {why}", remedy)
    else:
        remedy = "install NVIDIA's driver if the machine has a GPU; the demo needs none"
        yield Finding("note", "GPU", "none, so everything runs on the CPU", remedy)


def gpu_findings(usable: int, driver: int) -> Iterator[Finding]:
    """Every GPU with its compute capability, and whether driver, build and GPU go together."""
    import torch

    architectures = torch.cuda.get_arch_list()
    build = f"torch {torch.__version__} for CUDA {torch.version.cuda}, {' '.join(architectures)}"
    yield Finding("ok", "GPU", f"{usable} of {driver}; driver {driver_version() or 'unknown'}; {build}")
    for number in range(usable):
        name, capability = torch.cuda.get_device_name(number), torch.cuda.get_device_capability(number)
        memory = torch.cuda.get_device_properties(number).total_memory / 2**30
        found = f"{name}, compute capability {capability[0]}.{capability[1]}, {memory:.0f} GiB"
        reason = missing_kernels(name, capability, architectures)
        remedy = reason.rpartition("; ")[2]
        if reason:
            reason += f" (the default build supports {', '.join(supported_generations())})"
        yield Finding("missing" if reason else "ok", f"GPU {number}", reason or found, remedy)


def _crf() -> Finding:
    """Whether it computes, as it is compiled for a machine."""
    try:
        import numpy as np

        from wsss.crf import refine_labels

        image = np.zeros((8, 8, 3), np.uint8)
        image[:, 4:] = 255
        labels = (image[..., 0] > 0).astype(np.int64)
        right = refine_labels(image, labels, 2, iterations=1, gt_prob=0.7).tolist() == labels.tolist()
    except Exception as error:  # whatever a module that was compiled for another machine raises
        remedy = "make install, which compiles it and needs g++"
        return Finding("missing", "dense CRF", f"does not work: {error}", remedy)
    remedy = "" if right else "make install, which compiles it"
    return Finding(
        "ok" if right else "missing", "dense CRF", "works" if right else "returns wrong labels", remedy
    )


def _data() -> Iterator[Finding]:
    """The data sets of the runs in config/, each root once."""
    names = run_names()
    if not Path("Snakefile").is_file():
        found, remedy = f"no Snakefile in {Path.cwd()}", "wsss workdir DIR && cd DIR (or cd to a checkout)"
        yield Finding("note" if names else "missing", "working directory", found, remedy)
    if not names:
        yield Finding("missing", "runs", f"no config/*.yaml in {Path.cwd()}", "wsss workdir DIR && cd DIR")
    roots: dict[Path, list[str]] = {}
    for name in names:
        try:
            dataset = load_run(name).config.dataset
        except UserError as error:
            yield Finding("missing", f"run {name}", str(error), f"edit config/{name}.yaml")
            continue
        if isinstance(dataset, VocDataset):
            roots.setdefault(dataset.root, []).append(name)
    for root, runs in roots.items():
        images, name = root / "JPEGImages", f"data in {root}"
        if images.is_dir():
            yield Finding("ok", name, f"{sum(1 for _ in os.scandir(images))} images, for {_listed(runs)}")
        else:
            detail = f"no JPEGImages; needed by {_listed(runs)}"
            yield Finding("note", name, detail, f"ln -s /path/to/the/data {root}")


def _listed(runs: list[str]) -> str:
    more = f" and {len(runs) - SHOWN} more" if len(runs) > SHOWN else ""
    return ", ".join(runs[:SHOWN]) + more


def _weights() -> Iterator[Finding]:
    """Licenses of the weights that the runs in config/ download, where they restrict their use."""
    from wsss.models.weights import license_of

    runs: dict[str, list[str]] = {}
    for name in run_names():
        try:
            sections = _networks(load_run(name).config)
            for backbone in {section.backbone for section in sections if section.weights == "imagenet"}:
                runs.setdefault(backbone, []).append(name)
        except UserError:
            continue  # reported with the data
    for backbone, users in sorted(runs.items()):
        if (terms := license_of(backbone)) not in PERMISSIVE:
            remedy = "read it before you distribute results, or choose another backbone"
            yield Finding(
                "note", f"weights of {backbone}", f"license {terms}; used by {_listed(users)}", remedy
            )


def _networks(section: Section) -> Iterator[BackboneConfig]:
    if isinstance(section, BackboneConfig):
        yield section
    for _, value in section:
        if isinstance(value, Section):
            yield from _networks(value)


def _disk() -> Iterator[Finding]:
    place = RESULTS if RESULTS.is_dir() else Path()
    free = shutil.disk_usage(place).free / 1e9
    writable = os.access(place, os.W_OK)
    remedy = f"make {RESULTS}/ a link to a larger disk" if free < LEAST_DISK else ""
    if not writable:
        yield Finding(
            "missing",
            "disk",
            f"{place.resolve()} cannot be written",
            f"change its owner, or make {RESULTS}/ a link to another directory",
        )
    else:
        yield Finding("note" if remedy else "ok", "disk", f"{free:.0f} GB free in {place.resolve()}", remedy)
    shared = Path("/dev/shm")
    if shared.is_dir():
        free = shutil.disk_usage(shared).free / 1e9
        remedy = "machine.workers: 0, or --shm-size=8g for a container" if free < LEAST_SHARED else ""
        yield Finding("note" if remedy else "ok", "shared memory", f"{free:.1f} GB free in {shared}", remedy)


def _caches() -> Iterator[Finding]:
    """Jobs of the workflow keep their caches in .snakemake instead; what people start beside it does not."""
    for name, place in unwritable_caches().items():
        remedy = f"export {name}=$PWD/.snakemake/{place.name.strip('.')}"
        yield Finding("note", name, f"{place} cannot be written", remedy)
