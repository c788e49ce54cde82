"""The stages of the chain: what each reads of the configuration, and which are made before it.

Which of them a run has follows from its configuration alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wsss.config import RunConfig
from wsss.errors import UserError


@dataclass(frozen=True)
class Stage:
    """A step of a run: the section that it reads, dotted, and the stages whose outputs it reads.

    sharded: its outputs are shards, of which there are `cams.shards`, a key of another section.
    """

    section: str
    before: Callable[[RunConfig], tuple[str, ...]]
    sharded: bool = False

    @property
    def model(self) -> TypeAdapter[Any]:
        """The type of the section."""
        section: Any = RunConfig
        for name in self.section.split("."):
            section = section.model_fields[name].rebuild_annotation()
        return TypeAdapter(section)


#: every stage, in an order in which they can be made
STAGES: dict[str, Stage] = {
    "index": Stage("dataset", lambda config: ()),
    "oc": Stage("oc", lambda config: ("index",)),
    "priors": Stage("priors", lambda config: ("index", "oc") if config.priors.uses_oc else ("index",)),
    "cams": Stage("cams", lambda config: ("index", "priors")),
    "cams_metrics": Stage("evaluation", lambda config: ("index", "cams")),
    "c2am": Stage(
        "saliency.c2am", lambda config: ("index", "cams") if config.saliency.uses_hints else ("index",)
    ),
    "c2am_maps": Stage("saliency.maps", lambda config: ("index", "c2am"), sharded=True),
    "saliency_crf": Stage("saliency.crf", lambda config: ("index", "c2am_maps"), sharded=True),
    "poolnet": Stage("saliency.poolnet", lambda config: ("index", "saliency_crf")),
    "saliency": Stage("saliency.predictions", lambda config: ("index", "poolnet"), sharded=True),
    "saliency_metrics": Stage(
        "saliency.evaluation",
        lambda config: ("index", "cams", *scored_saliency(config)),
    ),
    "affinity_labels": Stage(
        "affinity.labels",
        lambda config: ("index", "cams", *filter(None, [final_saliency(config)])),
        sharded=True,
    ),
    "affinity": Stage("affinity.training", lambda config: ("index", "affinity_labels")),
    "walks": Stage("affinity.walk", lambda config: ("index", "cams", "affinity"), sharded=True),
    "walks_metrics": Stage("evaluation", lambda config: ("index", "walks")),
    "pseudo_labels": Stage("segmentation.pseudo", lambda config: ("index", "walks"), sharded=True),
    "segmentation": Stage(
        "segmentation.training",
        lambda config: ("index", "pseudo_labels") if config.segmentation.labels == "pseudo" else ("index",),
    ),
    "masks": Stage("segmentation.masks", lambda config: ("index", "segmentation"), sharded=True),
}

#: the stages whose maps, of all images that the run makes them of, can be given
GIVEN_MAPS = ("cams", "saliency_crf", "saliency")


def goals(config: RunConfig) -> tuple[str, ...]:
    """The stages that a run is for; it has these and all before them."""
    data, labels = config.dataset, config.segmentation.labels
    if labels == "ground_truth" or config.given.segmentation or not data.has_masks:
        return ("masks",)
    unscored = config.given.affinity or not final_saliency(config)
    return ("cams_metrics", *(() if unscored else ("saliency_metrics",)), "walks_metrics", "masks")


def before(config: RunConfig, stage: str) -> tuple[str, ...]:
    """The stages whose outputs a stage reads: none if its network is given; given maps are of an index."""
    if getattr(config.given, stage, None):
        return ("index",) if stage in GIVEN_MAPS else ()
    return STAGES[stage].before(config)


def selects_epoch(config: RunConfig) -> bool:
    """Whether the segmentation network is that of the epoch that does best on `val`, and not the last one."""
    selection = config.segmentation.training.selection
    if selection == "auto":
        return config.segmentation.labels == "ground_truth" or config.dataset.val_labels
    return selection == "best"


def final_saliency(config: RunConfig) -> str | None:
    """The stage that makes the saliency of which later stages learn; None in a run without saliency."""
    if config.saliency.method == "none":
        return None
    return "saliency" if config.saliency.refine == "poolnet" else "saliency_crf"


def scored_saliency(config: RunConfig) -> tuple[str, ...]:
    """The stages whose saliency is scored, in the chain's order: nothing is trained for scores alone."""
    kinds = ("c2am_maps", "saliency_crf", *(("saliency",) if config.saliency.refine == "poolnet" else ()))
    given = config.given
    if kinds[-1] == "saliency" and (given.saliency or (given.poolnet and not given.c2am)):
        return kinds[-1:]
    return kinds[1:] if given.saliency_crf else kinds


def parse_section(stage: str, text: str) -> Any:
    """The typed section of a stage, from what `Run.section` gave. Raises UserError if the text is no such."""
    if stage not in STAGES:
        raise UserError(f"no stage is called {stage!r}; there are {', '.join(STAGES)}")
    try:
        return STAGES[stage].model.validate_json(text, strict=True)
    except ValidationError as error:
        raise UserError(
            f"the configuration of stage {stage} is not valid: {text}\n{error}\nStart snakemake again."
        ) from None
