"""What a run's configuration decides about its stages: which saliency it learns from, and what it scores."""

from wsss.config import RunConfig


def always(config: RunConfig) -> bool:
    """For the stages that every run is made for."""
    return True


def never(config: RunConfig) -> bool:
    """For the stages that a run has only where another stage reads their outputs."""
    return False


def of_images(config: RunConfig) -> tuple[str, ...]:
    """What the stages read that need no other stage's outputs but the index."""
    return ("index",)


def prior_stage(config: RunConfig) -> str:
    """The stage whose output computes the CAMs: a training, or text vectors where nothing is trained."""
    return "text" if config.priors.method == "clip_es" and not config.given.priors else "priors"


def uses_regions(config: RunConfig) -> bool:
    """Whether regions of the images vote on the pseudo labels."""
    return config.segmentation.pseudo.vote != "none"


def learns_from_pseudo_labels(config: RunConfig) -> bool:
    """Whether the segmentation network learns from pseudo labels, and not from the data set's masks."""
    return config.segmentation.labels == "pseudo"


def scores_maps(config: RunConfig) -> bool:
    """Whether a run scores its CAMs and walks: it needs masks, and a chain that leads to pseudo labels."""
    chain = learns_from_pseudo_labels(config) and not config.given.segmentation
    return chain and config.dataset.has_masks


def scores_saliency(config: RunConfig) -> bool:
    """Whether a run scores its saliency, which it has only where a stage learns from it."""
    return scores_maps(config) and final_saliency(config) is not None and not config.given.affinity


def final_saliency(config: RunConfig) -> str | None:
    """The stage whose saliency later stages read; None in a run without saliency."""
    if config.saliency.method == "none":
        return None
    return "saliency" if config.saliency.refine == "poolnet" else "saliency_crf"


def scored_saliency(config: RunConfig) -> tuple[str, ...]:
    """The stages whose saliency is scored, in the chain's order: nothing is computed for its scores alone."""
    kinds = ("c2am_maps", "saliency_crf", *(("saliency",) if config.saliency.refine == "poolnet" else ()))
    given = config.given
    if kinds[-1] == "saliency" and (given.saliency or (given.poolnet and not given.c2am)):
        return kinds[-1:]
    return kinds[1:] if given.saliency_crf else kinds


def selects_epoch(config: RunConfig) -> bool:
    """Whether the segmentation network of the best validation epoch is kept, or that of the last epoch."""
    selection = config.segmentation.training.selection
    if selection == "auto":
        return config.segmentation.labels == "ground_truth" or config.dataset.val_labels
    return selection == "best"
