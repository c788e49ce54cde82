"""The stage table: everything that is true of a stage, once. Rules, reports, imports and plans read it.

A new stage is one entry here, one rule, and one script of the rule's name.
"""

from typing import Literal

from wsss.config import RunConfig
from wsss.runs.choices import (
    always,
    final_saliency,
    learns_from_pseudo_labels,
    of_images,
    prior_stage,
    scored_saliency,
    scores_maps,
    scores_saliency,
    uses_regions,
)
from wsss.runs.stage import Stage

#: every stage by name, in an order in which they can be made
STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("index", "index_images", "images", kind="index", section="dataset", before=lambda config: ()),
        Stage(
            "oc", "train_oc", "ordinary classifier", "training", "oc", of_images, architecture="Classifier"
        ),
        Stage(
            "priors",
            rule="train_priors",
            title="generator of the CAMs",
            kind="training",
            section="priors",
            before=lambda config: ("index", "oc") if config.priors.uses_oc else ("index",),
            architecture="Classifier",
        ),
        Stage("text", "encode_text", "text vectors", "text", "priors", of_images),
        Stage(
            "cams",
            rule="make_cams",
            title="CAMs",
            kind="maps",
            section="cams",
            before=lambda config: ("index", prior_stage(config)),
            shards="CamShard",
            gpu=True,
            scored_as="score maps",
            scored_by="cams_metrics",
            picture="CAM",
        ),
        Stage(
            "cams_metrics",
            rule="evaluate_cams",
            title="scores of the CAMs",
            kind="scores",
            section="evaluation",
            before=lambda config: ("index", "cams"),
            goal=scores_maps,
        ),
        Stage(
            "c2am",
            rule="train_c2am",
            title="C2AM",
            kind="training",
            section="saliency.c2am",
            before=lambda config: ("index", "cams") if config.saliency.uses_hints else ("index",),
            architecture="C2AM",
        ),
        Stage(
            "c2am_maps",
            rule="make_c2am_maps",
            title="C2AM maps",
            kind="maps",
            section="saliency.maps",
            before=lambda config: ("index", "c2am"),
            shards="ActivationShard",
            gpu=True,
            scored_as="saliency",
            scored_by="saliency_metrics",
            metrics_key="c2am",
        ),
        Stage(
            "saliency_crf",
            rule="refine_saliency",
            title="CRF saliency",
            kind="maps",
            section="saliency.crf",
            before=lambda config: ("index", "c2am_maps"),
            shards="LabelShard",
            scored_as="saliency masks",
            scored_by="saliency_metrics",
            metrics_key="crf",
            picture="saliency",
        ),
        Stage(
            "poolnet",
            rule="train_poolnet",
            title="PoolNet",
            kind="training",
            section="saliency.poolnet",
            before=lambda config: ("index", "saliency_crf"),
            architecture="PoolNet",
        ),
        Stage(
            "saliency",
            rule="make_saliency",
            title="PoolNet saliency",
            kind="maps",
            section="saliency.predictions",
            before=lambda config: ("index", "poolnet"),
            shards="LabelShard",
            gpu=True,
            scored_as="saliency",
            scored_by="saliency_metrics",
            metrics_key="poolnet",
            picture="saliency",
        ),
        Stage(
            "saliency_metrics",
            rule="evaluate_saliency",
            title="scores of the saliency",
            kind="scores",
            section="saliency.evaluation",
            before=lambda config: ("index", "cams", *scored_saliency(config)),
            goal=scores_saliency,
        ),
        Stage(
            "affinity_labels",
            rule="make_affinity_labels",
            title="affinity labels",
            kind="labels",
            section="affinity.labels",
            before=lambda config: ("index", "cams", *filter(None, [final_saliency(config)])),
            shards="LabelShard",
            scored_as="partial labels",
            picture="affinity label",
        ),
        Stage(
            "affinity",
            rule="train_affinity",
            title="AffinityNet",
            kind="training",
            section="affinity.training",
            before=lambda config: ("index", "affinity_labels"),
            architecture="AffinityNet",
        ),
        Stage(
            "walks",
            rule="walk_cams",
            title="walked CAMs",
            kind="maps",
            section="affinity.walk",
            before=lambda config: ("index", "cams", "affinity"),
            shards="WalkShard",
            gpu=True,
            scored_as="score maps",
            scored_by="walks_metrics",
            picture="walk",
        ),
        Stage(
            "walks_metrics",
            rule="evaluate_walks",
            title="scores of the walks",
            kind="scores",
            section="evaluation",
            before=lambda config: ("index", "walks"),
            goal=scores_maps,
        ),
        Stage("regions", "make_regions", "regions", "maps", "regions", of_images, shards="RegionShard"),
        Stage(
            "pseudo_labels",
            rule="make_pseudo_labels",
            title="pseudo labels",
            kind="labels",
            section="segmentation.pseudo",
            before=lambda config: ("index", "walks", *(("regions",) if uses_regions(config) else ())),
            shards="LabelShard",
            scored_as="labels",
            picture="pseudo label",
        ),
        Stage(
            "segmentation",
            rule="train_segmentation",
            title="segmentation network",
            kind="training",
            section="segmentation.training",
            before=lambda config: (
                ("index", "pseudo_labels") if learns_from_pseudo_labels(config) else ("index",)
            ),
            architecture="DeepLabV3Plus",
        ),
        Stage(
            "masks",
            rule="make_masks",
            title="masks",
            kind="labels",
            section="segmentation.masks",
            before=lambda config: ("index", "segmentation"),
            goal=always,
            shards="LabelShard",
            gpu=True,
            split="val",
            scored_as="labels",
            picture="final mask",
        ),
    )
}


#: the stages whose saliency is scored, by their keys in the metrics file
SALIENCY = {
    stage.metrics_key: name for name, stage in STAGES.items() if stage.scored_as.startswith("saliency")
}


def before(config: RunConfig, stage: str) -> tuple[str, ...]:
    """The stages whose outputs a stage reads: none of an imported network; imported maps are of an index."""
    if getattr(config.given, stage, None):
        return ("index",) if STAGES[stage].importable == "maps" else ()
    return STAGES[stage].before(config)


def importable(kind: Literal["network", "maps"]) -> list[str]:
    """Names of the stages in whose place a network, or maps, can be imported."""
    return [name for name, stage in STAGES.items() if stage.importable == kind]
