"""Networks that a run is given instead of training them, and maps instead of making them: released ones, say.

A run's files depend on which ones they are, so the configuration names each by its fingerprint. What is given
lies under `results/<run>/given/`; `wsss import-weights` and `wsss import-maps` put it there and write these
keys.
"""

from typing import Annotated

from pydantic import Field

from wsss.config.section import Section

Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]


class GivenConfig(Section):
    """By stage, the network or maps that take its place: it is not made then, nor what is for it alone."""

    oc: Fingerprint | None = Field(None, description="ordinary classifier, see `wsss import-weights`")
    priors: Fingerprint | None = Field(None, description="generator of the CAMs")
    cams: Fingerprint | None = Field(None, description="CAMs, see `wsss import-maps`")
    c2am: Fingerprint | None = Field(None, description="C2AM, with hints or without")
    saliency_crf: Fingerprint | None = Field(None, description="saliency masks, in place of C2AM and its CRF")
    poolnet: Fingerprint | None = Field(None, description="PoolNet")
    saliency: Fingerprint | None = Field(None, description="saliency maps, in place of C2AM and PoolNet")
    affinity: Fingerprint | None = Field(None, description="AffinityNet")
    segmentation: Fingerprint | None = Field(
        None, description="DeepLabV3+; the run then has no other stage before"
    )
