"""One small task per training: its networks and its losses."""

from wsss.config import Method
from wsss.training.tasks.affinity import AffinityTask
from wsss.training.tasks.c2am import C2amTask
from wsss.training.tasks.linear import Linear
from wsss.training.tasks.occse import OcCse
from wsss.training.tasks.pnoc import Pnoc
from wsss.training.tasks.poc import Poc
from wsss.training.tasks.poolnet import PoolnetTask
from wsss.training.tasks.prior import PriorTask
from wsss.training.tasks.puzzle import Puzzle
from wsss.training.tasks.segmentation import SegmentationTask
from wsss.training.tasks.vanilla import Vanilla, vanilla_settings

#: the methods of the priors by their name in the configuration
PRIOR_TASKS: dict[Method, type[PriorTask]] = {
    "vanilla": Vanilla,
    "puzzle": Puzzle,
    "occse": OcCse,
    "poc": Poc,
    "pnoc": Pnoc,
    "linear": Linear,
}
