"""Typed configuration of a run: every key with its default, meaning and bounds, in one place.

Needs pydantic and PyYAML only, because the workflow reads it before any job starts. `wsss.runs.run.load_run`
reads a run's file; `python -m wsss.config.docs` writes the schema and the table of keys.
"""

from wsss.config.affinity import Affinity, AffinityLabels, AffinityTraining, Walk
from wsss.config.dataset import CocoDataset, Dataset, FolderDataset, ShapesDataset, VocDataset
from wsss.config.given import Given
from wsss.config.inference import Cams, Evaluation, LabelCrf, TestTime
from wsss.config.priors import Erasing, Method, Noc, Oc, Priors, Puzzle, Ramp
from wsss.config.run import Machine, RunConfig
from wsss.config.saliency import C2am, Poolnet, Saliency, SaliencyCrf
from wsss.config.section import Section
from wsss.config.segmentation import MaskCrf, Masks, PseudoLabels, Segmentation, SegmentationTraining
from wsss.config.training import Augmentation, Ema, Network, Optimisation, Training

__all__ = [
    "Affinity",
    "AffinityLabels",
    "AffinityTraining",
    "Augmentation",
    "C2am",
    "Cams",
    "CocoDataset",
    "Dataset",
    "Ema",
    "Erasing",
    "Evaluation",
    "FolderDataset",
    "Given",
    "LabelCrf",
    "Machine",
    "MaskCrf",
    "Masks",
    "Method",
    "Network",
    "Noc",
    "Oc",
    "Optimisation",
    "Poolnet",
    "Priors",
    "PseudoLabels",
    "Puzzle",
    "Ramp",
    "RunConfig",
    "Saliency",
    "SaliencyCrf",
    "Section",
    "Segmentation",
    "SegmentationTraining",
    "ShapesDataset",
    "TestTime",
    "Training",
    "VocDataset",
    "Walk",
]
