# What is made from what, where it depends on the run: input functions of the rules.


def where(condition, paths):
    """What an input function finds in runs of which a condition on the configuration is true; else nothing."""
    return lambda wildcards: paths(wildcards) if condition(run_named(wildcards.run).config) else []


hints_of_c2am = where(lambda config: config.saliency.uses_hints, shards_of("cams", "train"))


def if_scored(stage: str):
    """All shards of a kind of saliency of the training split, in a run that scores it."""
    return where(lambda config: stage in scored_saliency(config), shards_of(stage, "train"))


saliency_to_score = {kind: if_scored(stage) for kind, stage in SALIENCY.items()}


def saliency_of_shard(wildcards) -> list[str]:
    """The saliency that a shard's affinity labels are made with, in a run that has it."""
    stage = final_saliency(run_named(wildcards.run).config)
    return [output_of(stage)(wildcards)] if stage else []


labels_to_learn_from = where(learns_from_pseudo_labels, shards_of("pseudo_labels", "train"))


# The images by which the segmentation network's epoch is chosen, and what they are scored by.
index_that_chooses = where(selects_epoch, output_of("index", "val"))
labels_that_choose = where(
    lambda config: selects_epoch(config) and learns_from_pseudo_labels(config),
    shards_of("pseudo_labels", "val"),
)


def oc_of_priors(wildcards) -> list[str]:
    """The ordinary classifier, for the methods that erase."""
    return [output_of("oc")(wildcards)] if "oc" in stages(run_named(wildcards.run)) else []


def vectors_of_text(wildcards) -> list[str]:
    """The file of text vectors that a run brings along, if it does."""
    vectors = run_named(wildcards.run).config.priors.text.vectors
    return [str(vectors)] if vectors else []


def prior_of_cams(wildcards) -> str:
    """What computes the CAMs: a trained generator, or text vectors."""
    return output_of(prior_stage(run_named(wildcards.run).config))(wildcards)


def scores_of_chain(wildcards) -> list[str]:
    """The metrics of all that a run scores."""
    return [str(path) for path in metrics_files(run_named(wildcards.run)).values()]


def pictures_of_run(wildcards) -> list[str]:
    """The maps that the report's gallery shows before the masks, all shards of the validation split.

    Of this split there are none where they need labels that its images lack, or maps that are imported without
    it.
    """
    run = run_named(wildcards.run)
    data, shown = run.config.dataset, [name for name in pictured(run) if name != "masks"]
    made = [name for name in shown if data.val_labels and has_maps(run, name, data.val)]
    return [path for name in made for path in shards_of(name, "val")(wildcards)]


def courses_of_run(wildcards) -> list[str]:
    """The course of every training that a run has; a network that it imports has none."""
    run = run_named(wildcards.run)
    trained = [stage for stage in stages(run) if STAGES[stage].kind == "training" and not run.given(stage)]
    return [str(run.metrics(stage)) for stage in trained]


def fetched_by(wildcards) -> list[str]:
    """What says that a data set was fetched, if it was or has to be: nothing lies at its root."""
    data, place = run_named(wildcards.run).config.dataset, f"results/{wildcards.run}/fetched.json"
    return [place] if data.archives and (Path(place).is_file() or not is_there(data.root)) else []


def sources_of(wildcards) -> list[str]:
    """The files of a split that a data set comes with, or what says that they were fetched."""
    found = run_named(wildcards.run).config.dataset.sources(wildcards.split)
    return fetched_by(wildcards) or [str(path) for path in found if path.is_file()]


def data_of_run(wildcards) -> list[str]:
    """What an index is made from: the drawn data set, or what a data set comes with."""
    dataset = run_named(wildcards.run).config.dataset
    if dataset.kind == "shapes":
        return [f"results/{wildcards.run}/data"]
    paints = dataset.kind == "coco" and dataset.masks is None and dataset.with_masks
    painted = [f"results/{wildcards.run}/painted/{wildcards.split}"] if paints else []
    return [*sources_of(wildcards), *painted]


def indexes_of(name: str):
    """The indexes of a run's splits, wherever they lie."""

    def places(wildcards) -> list[str]:
        run = run_named(name)
        return [
            str(run.output("index", split)) for split in (run.config.dataset.train, run.config.dataset.val)
        ]

    return places
