"""The networks: tensors in, tensors out. They know no data set and no loss, and read no file but weights."""

# timm imports torchvision, so the repair comes first.
import wsss.models.torchvision_repair

# isort: split

from wsss.models.affinity import AffinityNet
from wsss.models.backbone import Backbone, check_backbone
from wsss.models.c2am import C2AM
from wsss.models.classifier import Classifier
from wsss.models.deeplab import DeepLabV3Plus
from wsss.models.network import Network
from wsss.models.poolnet import PoolNet
from wsss.models.published import load_published
from wsss.models.segmenter import LinearSegmenter, Segmenter
from wsss.models.weights import Normalization, check_weights, load_backbone_weights
