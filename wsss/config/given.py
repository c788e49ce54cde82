"""Networks that a run imports instead of training them, and maps that it imports instead of making them.

A run's files depend on what was imported, so the configuration names it by its fingerprint. The files are in
`results/<run>/given/`. `wsss import-weights` and `wsss import-maps` write them and these keys.
"""

from typing import Annotated

from pydantic import Field

from wsss.config.section import Section

Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]


class GivenConfig(Section):
    """By stage, the fingerprint of the imported network or maps.

    The stage, and stages that only it needs, are then no part of the run.
    """

    oc: Annotated[
        Fingerprint | None, Field(description="imported ordinary classifier (`wsss import-weights`)")
    ] = None
    priors: Annotated[
        Fingerprint | None, Field(description="imported generator of the CAMs (`wsss import-weights`)")
    ] = None
    cams: Annotated[Fingerprint | None, Field(description="imported CAMs (`wsss import-maps`)")] = None
    c2am: Annotated[
        Fingerprint | None, Field(description="imported C2AM, with or without hints (`wsss import-weights`)")
    ] = None
    saliency_crf: Annotated[
        Fingerprint | None,
        Field(description="imported saliency masks, which replace C2AM and its CRF (`wsss import-maps`)"),
    ] = None
    poolnet: Annotated[Fingerprint | None, Field(description="imported PoolNet (`wsss import-weights`)")] = (
        None
    )
    saliency: Annotated[
        Fingerprint | None,
        Field(description="imported saliency maps, which replace C2AM and PoolNet (`wsss import-maps`)"),
    ] = None
    affinity: Annotated[
        Fingerprint | None, Field(description="imported AffinityNet (`wsss import-weights`)")
    ] = None
    segmentation: Annotated[
        Fingerprint | None,
        Field(description="imported DeepLabV3+, which replaces all stages before it (`wsss import-weights`)"),
    ] = None
