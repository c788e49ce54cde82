# The data set: downloaded or generated if it is missing, checked and listed once.


rule fetch_data:
    output:
        "results/{run}/fetched.json",
    log:
        "results/{run}/logs/fetch_data.log",
    benchmark:
        "results/{run}/benchmarks/fetch_data.tsv"
    resources:
        mem_mb=memory(1000),
        runtime=growing(2880),
    params:
        **settings_of("index"),
    message:
        "{wildcards.run}: download its data set"
    shell:
        "python -m workflow.scripts.fetch_data --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --out {output}"


rule make_shapes:
    output:
        directory("results/{run}/data"),
    log:
        "results/{run}/logs/make_shapes.log",
    benchmark:
        "results/{run}/benchmarks/make_shapes.tsv"
    resources:
        mem_mb=memory(1000),
        runtime=growing(10),
    params:
        **settings_of("index"),
    message:
        "{wildcards.run}: draw the embedded data set"
    shell:
        "python -m workflow.scripts.make_shapes --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --out {output}"


rule paint_masks:
    input:
        sources_of,
    output:
        directory("results/{run}/painted/{split}"),
    log:
        "results/{run}/logs/paint_masks.{split}.log",
    benchmark:
        "results/{run}/benchmarks/paint_masks.{split}.tsv"
    resources:
        mem_mb=memory(4000),
        runtime=growing(240),
    params:
        **settings_of("index"),
    message:
        "{wildcards.run}: paint the masks of {wildcards.split} from its annotations"
    shell:
        "python -m workflow.scripts.paint_masks --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --split {wildcards.split} --out {output}"


rule index_images:
    input:
        data_of_run,
    output:
        index="results/{run}/index/{split}.csv",
        about="results/{run}/index/{split}.json",
    log:
        "results/{run}/logs/index_images.{split}.log",
    benchmark:
        "results/{run}/benchmarks/index_images.{split}.tsv"
    threads: threads_of
    resources:
        mem_mb=memory(4000),
        runtime=growing(60),
    params:
        **settings_of("index"),
    message:
        "{wildcards.run}: check and list the images of {wildcards.split}"
    shell:
        "python -m workflow.scripts.index_images --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --split {wildcards.split} --out {output.index}"
