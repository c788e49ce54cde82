"""Typed configuration of a run: every key with its default, meaning and bounds, in one place.

Needs pydantic and PyYAML only, because the workflow reads it before any job starts. `wsss.runs.run.load_run`
reads a run's file; `python -m wsss.config.docs` writes the schema and the table of keys.
"""

from wsss.config.affinity import AffinityConfig, AffinityLabelsConfig, AffinityTrainingConfig, WalkConfig
from wsss.config.dataset import CocoDataset, DatasetConfig, FolderDataset, ShapesDataset, VocDataset
from wsss.config.given import GivenConfig
from wsss.config.inference import CamsConfig, EvaluationConfig, LabelCrfConfig, TestTimeConfig
from wsss.config.priors import (
    ErasingConfig,
    Method,
    NocConfig,
    OcConfig,
    PriorsConfig,
    PuzzleConfig,
    RampConfig,
)
from wsss.config.regions import RegionsConfig
from wsss.config.run import MachineConfig, RunConfig
from wsss.config.saliency import C2amConfig, PoolnetConfig, SaliencyConfig, SaliencyCrfConfig
from wsss.config.section import Section
from wsss.config.segmentation import (
    MaskCrfConfig,
    MasksConfig,
    PseudoLabelsConfig,
    SegmentationConfig,
    SegmentationTrainingConfig,
)
from wsss.config.shared import SharedNetworkConfig
from wsss.config.training import (
    AugmentationConfig,
    BackboneConfig,
    ClassifierConfig,
    EmaConfig,
    NetworkConfig,
    OptimizationConfig,
    TrainingConfig,
)
