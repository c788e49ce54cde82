# What people would rather look at than read.


rule draw_cams:
    input:
        index=made_by("index", "index/{train}.csv"),
        cams=cams_of_training,
        metrics=made_by("cams_metrics", "metrics/cams.json"),
    output:
        sheet="results/{run}/figures/cams.png",
        curve="results/{run}/figures/cams_threshold.png",
    log:
        "results/{run}/logs/draw_cams.log",
    benchmark:
        "results/{run}/benchmarks/draw_cams.tsv"
    message:
        "{wildcards.run}: draws images, masks and CAMs"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        config=config_of("cams_metrics"),
    shell:
        "python {SCRIPTS}/draw_cams.py --run {wildcards.run} --config {params.config:q} --index {input.index}"
        " --cams {input.cams} --metrics {input.metrics} --out {output.sheet} --curve {output.curve} --log {log}"
