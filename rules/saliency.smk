# The saliency, object or background, whatever the class: C2AM, the dense CRF, PoolNet.


rule train_c2am:
    input:
        index=output_of("index", "train"),
        cams=hints_of_c2am,
    output:
        model="results/{run}/models/c2am.safetensors",
        metrics="results/{run}/metrics/c2am_training.csv",
    log:
        "results/{run}/logs/train_c2am.log",
    benchmark:
        "results/{run}/benchmarks/train_c2am.tsv"
    threads: threads_of
    resources:
        **of_training("c2am"),
        mem_mb=memory(32000),
        runtime=1440,
    params:
        **settings_of("c2am"),
    message:
        "{wildcards.run}: train C2AM, which separates objects from background"
    shell:
        "python -m workflow.scripts.train_c2am --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --cams {input.cams} --out {output.model}"
        " --metrics {output.metrics}"


rule make_c2am_maps:
    input:
        index=output_of("index"),
        model=output_of("c2am"),
    output:
        "results/{run}/c2am_maps/{split}/{shard}.safetensors",
    log:
        "results/{run}/logs/make_c2am_maps.{split}.{shard}.log",
    benchmark:
        "results/{run}/benchmarks/make_c2am_maps.{split}.{shard}.tsv"
    resources:
        mem_mb=memory(8000, 1500),
        runtime=growing(240),
        gpu=gpu_of,
    params:
        **settings_of("c2am_maps"),
    message:
        "{wildcards.run}: compute the C2AM maps of {wildcards.split}, shard {wildcards.shard}"
    shell:
        "python -m workflow.scripts.make_c2am_maps --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --model {input.model}"
        " --shard {wildcards.shard} --out {output}"


rule refine_saliency:
    input:
        index=output_of("index"),
        maps=output_of("c2am_maps"),
    output:
        directory("results/{run}/saliency_crf/{split}/{shard}"),
    log:
        "results/{run}/logs/refine_saliency.{split}.{shard}.log",
    benchmark:
        "results/{run}/benchmarks/refine_saliency.{split}.{shard}.tsv"
    resources:
        mem_mb=memory(1500, 700),
        runtime=growing(240),
    params:
        **settings_of("saliency_crf"),
    message:
        "{wildcards.run}: refine the saliency of {wildcards.split}, shard {wildcards.shard}"
    shell:
        "python -m workflow.scripts.refine_saliency --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --maps {input.maps}"
        " --shard {wildcards.shard} --out {output}"


rule train_poolnet:
    input:
        index=output_of("index", "train"),
        masks=shards_of("saliency_crf", "train"),
    output:
        model="results/{run}/models/poolnet.safetensors",
        metrics="results/{run}/metrics/poolnet_training.csv",
    log:
        "results/{run}/logs/train_poolnet.log",
    benchmark:
        "results/{run}/benchmarks/train_poolnet.tsv"
    threads: threads_of
    resources:
        **of_training("poolnet"),
        mem_mb=memory(16000, 5500),
        runtime=1440,
    params:
        **settings_of("poolnet"),
    message:
        "{wildcards.run}: train PoolNet on the refined saliency"
    shell:
        "python -m workflow.scripts.train_poolnet --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --masks {input.masks} --out {output.model}"
        " --metrics {output.metrics}"


rule make_saliency:
    input:
        index=output_of("index"),
        model=output_of("poolnet"),
    output:
        directory("results/{run}/saliency/{split}/{shard}"),
    log:
        "results/{run}/logs/make_saliency.{split}.{shard}.log",
    benchmark:
        "results/{run}/benchmarks/make_saliency.{split}.{shard}.tsv"
    resources:
        mem_mb=memory(4000, 1300),
        runtime=growing(120),
        gpu=gpu_of,
    params:
        **settings_of("saliency"),
    message:
        "{wildcards.run}: predict the saliency of {wildcards.split}, shard {wildcards.shard}"
    shell:
        "python -m workflow.scripts.make_saliency --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --model {input.model}"
        " --shard {wildcards.shard} --out {output}"


rule evaluate_saliency:
    input:
        **saliency_of_training,
        index=output_of("index", "train"),
        cams=shards_of("cams", "train"),
    output:
        metrics="results/{run}/metrics/saliency.json",
        curve="results/{run}/metrics/saliency.csv",
    log:
        "results/{run}/logs/evaluate_saliency.log",
    benchmark:
        "results/{run}/benchmarks/evaluate_saliency.tsv"
    threads: threads_of
    resources:
        mem_mb=memory(4000),
        runtime=growing(120),
    params:
        **settings_of("saliency_metrics"),
    message:
        "{wildcards.run}: evaluate the saliency"
    shell:
        "python -m workflow.scripts.evaluate_saliency --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --cams {input.cams} --c2am {input.c2am}"
        " --crf {input.crf} --poolnet {input.poolnet} --out {output.metrics} --curve {output.curve}"
