# From photographs with image-level labels to a segmentation network. The rules, read in order, are the method.
#
#   snakemake --cores all results/voc12/val_miou.txt   makes what is missing or out of date
#   snakemake -n results/voc12/val_miou.txt            shows what that would be, and why
#   snakemake --cores all voc12_data                   fetches the data set, and checks and lists its images
from snakemake.utils import min_version

min_version("9.5")


# The Python that the lock files are made for. `make install` makes the environment that rules run in.
container: "docker://python:3.11"


include: "rules/common.smk"
include: "rules/inputs.smk"
include: "rules/resources.smk"
include: "rules/data.smk"
include: "rules/priors.smk"
include: "rules/saliency.smk"
include: "rules/affinity.smk"
include: "rules/segmentation.smk"
include: "rules/report.smk"
include: "rules/session.smk"


# Nodes of a cluster often have no network: what is fetched, the machine fetches that Snakemake runs on.
localrules:
    all,
    fetch_data,
    voc12_data,
    coco14_data,


rule all:
    default_target: True
    input:
        "results/shapes/val_miou.txt",
        "results/shapes/metrics/chain.csv",
        "results/shapes/report.html",
        expand(
            "results/shapes/figures/{figure}.png",
            figure=[
                *("cams", "saliency", "affinity_labels.train", "walks", "pseudo_labels.train", "masks.val"),
                *("oc_training", "priors_training", "c2am_training", "poolnet_training"),
                *("affinity_training", "segmentation_training"),
            ],
        ),


rule voc12_data:
    input:
        indexes_of("voc12"),


rule coco14_data:
    input:
        indexes_of("coco14"),
