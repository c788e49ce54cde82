# The affinity: labels where CAMs and saliency agree, AffinityNet, and the random walk of the CAMs.


rule make_affinity_labels:
    input:
        index=output_of("index"),
        cams=output_of("cams"),
        saliency=saliency_of_shard,
    output:
        directory("results/{run}/affinity_labels/{split}/{shard}"),
    log:
        "results/{run}/logs/make_affinity_labels.{split}.{shard}.log",
    benchmark:
        "results/{run}/benchmarks/make_affinity_labels.{split}.{shard}.tsv"
    resources:
        mem_mb=memory(1500, 1600),
        runtime=growing(240),
    params:
        **settings_of("affinity_labels"),
    message:
        "{wildcards.run}: make the affinity labels of {wildcards.split}, shard {wildcards.shard}"
    shell:
        "python -m workflow.scripts.make_affinity_labels --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --cams {input.cams}"
        " --saliency {input.saliency} --shard {wildcards.shard} --out {output}"


rule train_affinity:
    input:
        index=output_of("index", "train"),
        labels=shards_of("affinity_labels", "train"),
    output:
        model="results/{run}/models/affinity.safetensors",
        metrics="results/{run}/metrics/affinity_training.csv",
    log:
        "results/{run}/logs/train_affinity.log",
    benchmark:
        "results/{run}/benchmarks/train_affinity.tsv"
    threads: threads_of
    resources:
        **of_training("affinity"),
        mem_mb=memory(16000),
        runtime=1440,
    params:
        **settings_of("affinity"),
    message:
        "{wildcards.run}: train AffinityNet on the affinity labels"
    shell:
        "python -m workflow.scripts.train_affinity --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --labels {input.labels}"
        " --out {output.model} --metrics {output.metrics}"


rule walk_cams:
    input:
        index=output_of("index"),
        cams=output_of("cams"),
        model=output_of("affinity"),
    output:
        "results/{run}/walks/{split}/{shard}.safetensors",
    log:
        "results/{run}/logs/walk_cams.{split}.{shard}.log",
    benchmark:
        "results/{run}/benchmarks/walk_cams.{split}.{shard}.tsv"
    resources:
        mem_mb=memory(4000, 800),
        runtime=growing(240),
        gpu=gpu_of,
    params:
        **settings_of("walks"),
    message:
        "{wildcards.run}: refine the CAMs of {wildcards.split} by random walk, shard {wildcards.shard}"
    shell:
        "python -m workflow.scripts.walk_cams --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --cams {input.cams} --model {input.model}"
        " --shard {wildcards.shard} --out {output}"


rule evaluate_walks:
    input:
        index=output_of("index", "train"),
        walks=shards_of("walks", "train"),
    output:
        metrics="results/{run}/metrics/walks.json",
        curve="results/{run}/metrics/walks.csv",
        images="results/{run}/metrics/walks.images.csv",
    log:
        "results/{run}/logs/evaluate_walks.log",
    benchmark:
        "results/{run}/benchmarks/evaluate_walks.tsv"
    threads: threads_of
    resources:
        mem_mb=memory(4000),
        runtime=growing(120),
    params:
        **settings_of("walks_metrics"),
    message:
        "{wildcards.run}: evaluate the walked CAMs"
    shell:
        "python -m workflow.scripts.evaluate_walks --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --walks {input.walks}"
        " --out {output.metrics} --curve {output.curve} --images {output.images}"
