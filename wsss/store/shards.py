"""Every class of shards by its name, which the stage table knows it by."""

from wsss.store.cams import ActivationShard, CamShard
from wsss.store.label_maps import LabelShard
from wsss.store.regions import RegionShard
from wsss.store.walks import WalkShard

AnyShard = CamShard | ActivationShard | WalkShard | LabelShard | RegionShard

SHARDS: dict[str, type[AnyShard]] = {
    shards.__name__: shards for shards in (CamShard, ActivationShard, WalkShard, LabelShard, RegionShard)
}
