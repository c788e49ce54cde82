"""Typed configuration of a run: every key with its default, meaning and bounds, in one place.

Needs pydantic and PyYAML only, because the workflow reads it before any job starts. `wsss.runs.load_run`
reads a run's file; `python -m wsss.config.docs` writes the schema and the table of keys.
"""

from wsss.config.dataset import Dataset, ShapesDataset, VocDataset
from wsss.config.priors import Erasing, Method, Noc, Oc, Priors, Puzzle, Ramp
from wsss.config.run import Cams, Evaluation, Machine, RunConfig
from wsss.config.section import Section
from wsss.config.training import Augmentation, Ema, Network, Optimisation, Training

__all__ = [
    "Augmentation",
    "Cams",
    "Dataset",
    "Ema",
    "Erasing",
    "Evaluation",
    "Machine",
    "Method",
    "Network",
    "Noc",
    "Oc",
    "Optimisation",
    "Priors",
    "Puzzle",
    "Ramp",
    "RunConfig",
    "Section",
    "ShapesDataset",
    "Training",
    "VocDataset",
]
