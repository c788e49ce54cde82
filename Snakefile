# From photographs with image-level labels to a segmentation network. The rules, read in order, are the method.
#
#   snakemake --cores all results/voc12/metrics/cams.json   makes what is missing or out of date
#   snakemake -n results/voc12/metrics/cams.json            shows what that would be, and why
from snakemake.utils import min_version

min_version("9.5")


# The Python that the lock files are made for. `make install` makes the environment that rules run in.
container: "docker://python:3.11"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/priors.smk"
include: "rules/report.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        "results/shapes/metrics/cams.json",
        "results/shapes/figures/cams.png",
        "results/shapes/figures/oc_training.png",
        "results/shapes/figures/priors_training.png",
