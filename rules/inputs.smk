# What is made from what, where it depends on the run: input functions of the rules.
cams_of_training = all_shards("cams", "cams/{train}/{shard}.safetensors")
saliency_crf_of_training = all_shards("saliency_crf", "saliency_crf/{train}/{shard}")


def hints_of_c2am(wildcards) -> list[str]:
    """The CAMs that C2AM-H learns from, beside the images."""
    return cams_of_training(wildcards) if run_named(wildcards.run).config.saliency.uses_hints else []


def saliency_to_score(stage: str, suffix: str = ""):
    """All shards of a kind of saliency of the training split, in a run that scores it."""

    def places(wildcards) -> list[str]:
        if stage not in scored_saliency(run_named(wildcards.run).config):
            return []
        return all_shards(stage, f"{stage}/{{train}}/{{shard}}{suffix}")(wildcards)

    return places


walks_of_training = all_shards("walks", "walks/{train}/{shard}.safetensors")


def saliency_of_shard(wildcards) -> list[str]:
    """The saliency that a shard's affinity labels are made with, in a run that has it."""
    stage = final_saliency(run_named(wildcards.run).config)
    return [made_by(stage, f"{stage}/{{split}}/{{shard}}")(wildcards)] if stage else []


def pseudo_labels_of(split: str):
    """All shards of a split's pseudo labels; none in a run that learns from the data set's masks."""

    def places(wildcards) -> list[str]:
        if run_named(wildcards.run).config.segmentation.labels != "pseudo":
            return []
        return all_shards("pseudo_labels", f"pseudo_labels/{split}/{{shard}}")(wildcards)

    return places


labels_to_learn_from = pseudo_labels_of("{train}")


def index_that_chooses(wildcards) -> list[str]:
    """The images by which the segmentation network's epoch is chosen, where one is."""
    chooses = selects_epoch(run_named(wildcards.run).config)
    return [made_by("index", "index/{val}.csv")(wildcards)] if chooses else []


def labels_that_choose(wildcards) -> list[str]:
    """What they are scored by, as `labels_to_learn_from`."""
    return pseudo_labels_of("{val}")(wildcards) if index_that_chooses(wildcards) else []


def scores_of_chain(wildcards) -> list[str]:
    """The metrics of all that a run scores."""
    return [str(path) for path in metrics_files(run_named(wildcards.run)).values()]


def shown_of(stage: str, suffix: str = ""):
    """What a stage makes of the images that the report shows, which are those of the validation split.

    A run without the stage has none of it; nor is there any where these images have no labels, or where maps
    are given without theirs.
    """

    def places(wildcards) -> list[str]:
        run = run_named(wildcards.run)
        name, data = final_saliency(run.config) if stage == "saliency" else stage, run.config.dataset
        if name not in stages(run) or not data.val_labels or not has_maps(run, name, data.val):
            return []
        return all_shards(name, f"{name}/{{val}}/{{shard}}{suffix}")(wildcards)

    return places


def courses_of_run(wildcards) -> list[str]:
    """The course of every training that a run has; a network that it is given has none."""
    trainings = ("oc", "priors", "c2am", "poolnet", "affinity", "segmentation")
    run = run_named(wildcards.run)
    made = [stage for stage in stages(run) if stage in trainings and not run.given(stage)]
    return [made_by(stage, f"metrics/{stage}_training.csv")(wildcards) for stage in made]


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
    paints = dataset.kind == "coco" and dataset.masks is None
    painted = [f"results/{wildcards.run}/painted/{wildcards.split}"] if paints else []
    return [*sources_of(wildcards), *painted]


def indexes_of(name: str):
    """The indexes of a run's splits, wherever they lie."""

    def places(wildcards) -> list[str]:
        run = run_named(name)
        splits = (run.config.dataset.train, run.config.dataset.val)
        return [f"{run.directory('index')}/index/{split}.csv" for split in splits]

    return places


def oc_of_priors(wildcards) -> list[str]:
    """The ordinary classifier, for the methods that erase."""
    run = run_named(wildcards.run)
    return [model_of("oc")(wildcards)] if "oc" in stages(run) else []
