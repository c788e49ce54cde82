# What people would rather look at than read.


rule draw_training:
    input:
        "results/{run}/metrics/{training}_training.csv",
    output:
        "results/{run}/figures/{training}_training.png",
    log:
        "results/{run}/logs/draw_training.{training}.log",
    benchmark:
        "results/{run}/benchmarks/draw_training.{training}.tsv"
    resources:
        mem_mb=growing(2000),
        runtime=10,
    params:
        config=config_of("{training}"),
        digest=digest_of("{training}"),
    message:
        "{wildcards.run}: draws the course of the training of {wildcards.training}"
    shell:
        "python -m workflow.scripts.draw_training --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --training {wildcards.training} --metrics {input}"
        " --out {output}"


rule draw_cams:
    input:
        index=made_by("index", "index/{train}.csv"),
        cams=cams_of_training,
        metrics="results/{run}/metrics/cams.json",
    output:
        sheet="results/{run}/figures/cams.png",
        curve="results/{run}/figures/cams_threshold.png",
    log:
        "results/{run}/logs/draw_cams.log",
    benchmark:
        "results/{run}/benchmarks/draw_cams.tsv"
    resources:
        mem_mb=growing(2000),
        runtime=30,
    params:
        config=config_of("cams_metrics"),
        digest=digest_of("cams_metrics"),
    message:
        "{wildcards.run}: draws images, masks and CAMs"
    shell:
        "python -m workflow.scripts.draw_cams --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --cams {input.cams}"
        " --metrics {input.metrics} --out {output.sheet} --curve {output.curve}"
