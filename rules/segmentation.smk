# The segmentation: pseudo labels of the walked CAMs, the network trained on them, and its masks.


rule make_regions:
    input:
        index=output_of("index"),
    output:
        "results/{run}/regions/{split}/{shard}.safetensors",
    log:
        "results/{run}/logs/make_regions.{split}.{shard}.log",
    benchmark:
        "results/{run}/benchmarks/make_regions.{split}.{shard}.tsv"
    resources:
        mem_mb=memory(1500),
        runtime=growing(120),
    params:
        **settings_of("regions"),
    message:
        "{wildcards.run}: make the regions of {wildcards.split}, shard {wildcards.shard}"
    shell:
        "python -m workflow.scripts.make_regions --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --shard {wildcards.shard} --out {output}"


rule make_pseudo_labels:
    input:
        index=output_of("index"),
        walks=output_of("walks"),
        regions=regions_of_shard,
    output:
        directory("results/{run}/pseudo_labels/{split}/{shard}"),
    log:
        "results/{run}/logs/make_pseudo_labels.{split}.{shard}.log",
    benchmark:
        "results/{run}/benchmarks/make_pseudo_labels.{split}.{shard}.tsv"
    resources:
        mem_mb=memory(1500, 1600),
        runtime=growing(240),
    params:
        **settings_of("pseudo_labels"),
    message:
        "{wildcards.run}: make the pseudo labels of {wildcards.split}, shard {wildcards.shard}"
    shell:
        "python -m workflow.scripts.make_pseudo_labels --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --walks {input.walks}"
        " --regions {input.regions} --shard {wildcards.shard} --out {output}"


rule train_segmentation:
    input:
        index=output_of("index", "train"),
        labels=labels_of_training,
        val_index=index_of_selection,
        val_labels=labels_of_selection,
    output:
        model="results/{run}/models/segmentation.safetensors",
        metrics="results/{run}/metrics/segmentation_training.csv",
    log:
        "results/{run}/logs/train_segmentation.log",
    benchmark:
        "results/{run}/benchmarks/train_segmentation.tsv"
    threads: threads_of
    resources:
        **of_training("segmentation"),
        mem_mb=memory(32000),
        runtime=2880,
    params:
        **settings_of("segmentation"),
    message:
        "{wildcards.run}: train the segmentation network"
    shell:
        "python -m workflow.scripts.train_segmentation --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --labels {input.labels}"
        " --val-index {input.val_index} --val-labels {input.val_labels} --out {output.model}"
        " --metrics {output.metrics}"


rule make_masks:
    input:
        index=output_of("index"),
        model=output_of("segmentation"),
    output:
        directory("results/{run}/masks/{split}/{shard}"),
    log:
        "results/{run}/logs/make_masks.{split}.{shard}.log",
    benchmark:
        "results/{run}/benchmarks/make_masks.{split}.{shard}.tsv"
    # Beside the network, threads are at the CRF of an image each.
    threads: threads_of
    resources:
        mem_mb=memory(8000, 3500),
        runtime=growing(240),
        gpu=gpu_of,
    params:
        **settings_of("masks"),
    message:
        "{wildcards.run}: predict the masks of {wildcards.split}, shard {wildcards.shard}"
    shell:
        "python -m workflow.scripts.make_masks --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --model {input.model}"
        " --shard {wildcards.shard} --out {output}"


rule pack_masks:
    input:
        index=output_of("index"),
        masks=shards_of("masks"),
    output:
        "results/{run}/comp6_{split}_cls.tar",
    log:
        "results/{run}/logs/pack_masks.{split}.log",
    benchmark:
        "results/{run}/benchmarks/pack_masks.{split}.tsv"
    resources:
        mem_mb=memory(1500),
        runtime=growing(30),
    params:
        **settings_of("masks"),
    message:
        "{wildcards.run}: pack the masks of {wildcards.split} for the evaluation server"
    shell:
        "python -m workflow.scripts.pack_masks --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --masks {input.masks} --out {output}"


rule evaluate_labels:
    input:
        index=output_of("index"),
        maps=shards_of("{labels}"),
    output:
        metrics="results/{run}/metrics/{labels}.{split}.json",
        images="results/{run}/metrics/{labels}.{split}.images.csv",
    log:
        "results/{run}/logs/evaluate_labels.{labels}.{split}.log",
    benchmark:
        "results/{run}/benchmarks/evaluate_labels.{labels}.{split}.tsv"
    resources:
        mem_mb=memory(1500),
        runtime=growing(60),
    params:
        **settings_of("{labels}"),
    message:
        "{wildcards.run}: evaluate the {wildcards.labels} of {wildcards.split}"
    shell:
        "python -m workflow.scripts.evaluate_labels --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --labels {wildcards.labels} --index {input.index}"
        " --maps {input.maps} --out {output.metrics} --images {output.images}"


rule report_miou:
    input:
        metrics_of("masks"),
    output:
        "results/{run}/val_miou.txt",
    log:
        "results/{run}/logs/report_miou.log",
    benchmark:
        "results/{run}/benchmarks/report_miou.tsv"
    resources:
        mem_mb=memory(1000),
        runtime=growing(10),
    params:
        **settings_of("masks"),
    message:
        "{wildcards.run}: write the mIoU of its masks"
    shell:
        "python -m workflow.scripts.report_miou --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --metrics {input} --out {output}"
