# The images: what there is, checked once.


rule make_shapes:
    output:
        directory("results/{run}/data"),
    log:
        "results/{run}/logs/make_shapes.log",
    benchmark:
        "results/{run}/benchmarks/make_shapes.tsv"
    message:
        "{wildcards.run}: draws the embedded data set"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        config=config_of("index"),
    shell:
        "python {SCRIPTS}/make_shapes.py --run {wildcards.run} --config {params.config:q}"
        " --out {output} --log {log}"


rule index_images:
    input:
        data_of_run,
    output:
        "results/{run}/index/{split}.csv",
        "results/{run}/index/{split}.json",
    log:
        "results/{run}/logs/index_images.{split}.log",
    benchmark:
        "results/{run}/benchmarks/index_images.{split}.tsv"
    message:
        "{wildcards.run}: checks and lists the images of {wildcards.split}"
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        config=config_of("index"),
    shell:
        "python {SCRIPTS}/index_images.py --run {wildcards.run} --config {params.config:q}"
        " --split {wildcards.split} --out {output[0]} --log {log}"
