"""Networks that a run is given instead of training them: released ones, say.

A run's files depend on which ones they are, so the configuration names each by its fingerprint. The networks
themselves lie under `results/<run>/given/`; `wsss import-weights` puts them there and writes these keys.
"""

from typing import Annotated

from pydantic import Field

from wsss.config.section import Section

Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]


class Given(Section):
    """By stage, the network that it begins with: none is trained then, and nothing made for its training."""

    oc: Fingerprint | None = Field(None, description="ordinary classifier, see `wsss import-weights`")
    priors: Fingerprint | None = Field(None, description="generator of the CAMs")
    c2am: Fingerprint | None = Field(None, description="C2AM, with hints or without")
    poolnet: Fingerprint | None = Field(None, description="PoolNet")
    affinity: Fingerprint | None = Field(None, description="AffinityNet")
    segmentation: Fingerprint | None = Field(
        None, description="DeepLabV3+; the run then has no other stage before"
    )
