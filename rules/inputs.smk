# Input functions of the rules, for inputs that depend on the run's configuration.


def where(condition, paths):
    """The paths of an input function, in runs whose configuration meets a condition; else none."""
    return lambda wildcards: paths(wildcards) if condition(run_named(wildcards.run).config) else []


hints_of_c2am = where(lambda config: config.saliency.uses_hints, shards_of("cams", "train"))


def if_scored(stage: str):
    """All shards of a stage's saliency of the training split, in a run that scores it."""
    return where(lambda config: stage in scored_saliency(config), shards_of(stage, "train"))


saliency_of_training = {kind: if_scored(stage) for kind, stage in SALIENCY.items()}


def saliency_of_shard(wildcards) -> list[str]:
    """The saliency that the affinity labels of a shard use, in a run that has saliency."""
    stage = final_saliency(run_named(wildcards.run).config)
    return [output_of(stage)(wildcards)] if stage else []


labels_of_training = where(learns_from_pseudo_labels, shards_of("pseudo_labels", "train"))


# The images whose score selects the segmentation network's epoch, and their pseudo labels.
index_of_selection = where(selects_epoch, output_of("index", "val"))
labels_of_selection = where(
    lambda config: selects_epoch(config) and learns_from_pseudo_labels(config),
    shards_of("pseudo_labels", "val"),
)


regions_of_shard = where(uses_regions, output_of("regions"))


def oc_of_priors(wildcards) -> list[str]:
    """The ordinary classifier, for methods with erasing."""
    return [output_of("oc")(wildcards)] if "oc" in stages(run_named(wildcards.run)) else []


def vectors_of_text(wildcards) -> list[str]:
    """The file of text vectors that a run brings along, if it does."""
    vectors = run_named(wildcards.run).config.priors.text.vectors
    return [str(vectors)] if vectors else []


def prior_of_cams(wildcards) -> str:
    """What computes the CAMs: a trained generator, or text vectors."""
    return output_of(prior_stage(run_named(wildcards.run).config))(wildcards)


def metrics_of_run(wildcards) -> list[str]:
    """All metrics files of a run."""
    return [str(path) for path in metrics_files(run_named(wildcards.run)).values()]


def metrics_of_seeds(wildcards) -> list[str]:
    """All metrics files of the run's repetitions with other seeds."""
    others = [run for run in repeats(run_named(wildcards.run)) if run.name != wildcards.run]
    return [str(path) for other in others for path in metrics_files(other).values()]


def pictures_of_run(wildcards) -> list[str]:
    """The maps that the report's gallery shows before the masks, all shards of the validation split.

    None where the images of this split have no labels, and none that depend on maps imported without this
    split.
    """
    run = run_named(wildcards.run)
    data, shown = run.config.dataset, [name for name in pictured(run) if name != "masks"]
    available = [name for name in shown if data.val_labels and has_maps(run, name, data.val)]
    return [path for name in available for path in shards_of(name, "val")(wildcards)]


def logs_of_trainings(wildcards) -> list[str]:
    """The log of every training of a run; imported networks have none."""
    run = run_named(wildcards.run)
    return [str(run.metrics(stage)) for stage in trainings_of(run)]


def download_of_run(wildcards) -> list[str]:
    """The record of the data set's download, where it was downloaded or its root is empty."""
    data, record = run_named(wildcards.run).config.dataset, f"results/{wildcards.run}/fetched.json"
    return [record] if data.archives and (Path(record).is_file() or not is_there(data.root)) else []


def sources_of(wildcards) -> list[str]:
    """The files of the data set that describe a split, or the record of their download."""
    files = run_named(wildcards.run).config.dataset.sources(wildcards.split)
    return download_of_run(wildcards) or [str(path) for path in files if path.is_file()]


def data_of_run(wildcards) -> list[str]:
    """The inputs of an index: the generated data set, or the files of the data set."""
    dataset = run_named(wildcards.run).config.dataset
    if dataset.kind == "shapes":
        return [f"results/{wildcards.run}/data"]
    paints = dataset.kind == "coco" and dataset.masks is None and dataset.with_masks
    painted = [f"results/{wildcards.run}/painted/{wildcards.split}"] if paints else []
    return [*sources_of(wildcards), *painted]


def indexes_of(name: str):
    """The indexes of a run's splits."""
    return lambda wildcards: [
        str(run.output("index", split))
        for run in [run_named(name)]
        for split in (run.config.dataset.train, run.config.dataset.val)
    ]
