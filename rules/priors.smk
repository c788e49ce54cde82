# The priors: an ordinary classifier (OC), the generator that is trained against it, or text vectors; and CAMs.


rule train_oc:
    input:
        index=output_of("index", "train"),
    output:
        model="results/{run}/models/oc.safetensors",
        metrics="results/{run}/metrics/oc_training.csv",
    log:
        "results/{run}/logs/train_oc.log",
    benchmark:
        "results/{run}/benchmarks/train_oc.tsv"
    threads: threads_of
    resources:
        **of_training("oc"),
        mem_mb=memory(16000),
        runtime=1440,
    params:
        **settings_of("oc"),
    message:
        "{wildcards.run}: train the ordinary classifier"
    shell:
        "python -m workflow.scripts.train_oc --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --out {output.model}"
        " --metrics {output.metrics}"


rule train_priors:
    input:
        index=output_of("index", "train"),
        oc=oc_of_priors,
    output:
        model="results/{run}/models/priors.safetensors",
        metrics="results/{run}/metrics/priors_training.csv",
    log:
        "results/{run}/logs/train_priors.log",
    benchmark:
        "results/{run}/benchmarks/train_priors.tsv"
    threads: threads_of
    resources:
        **of_training("priors"),
        mem_mb=memory(32000),
        runtime=2880,
    params:
        **settings_of("priors"),
    message:
        "{wildcards.run}: train the CAM generator"
    shell:
        "python -m workflow.scripts.train_priors --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --oc {input.oc} --out {output.model}"
        " --metrics {output.metrics}"


rule encode_text:
    input:
        index=output_of("index", "train"),
        vectors=vectors_of_text,
    output:
        model="results/{run}/models/text.safetensors",
    log:
        "results/{run}/logs/encode_text.log",
    benchmark:
        "results/{run}/benchmarks/encode_text.tsv"
    threads: threads_of
    resources:
        mem_mb=memory(4000),
        runtime=growing(30),
    params:
        **settings_of("text"),
    message:
        "{wildcards.run}: encode the class names"
    shell:
        "python -m workflow.scripts.encode_text --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --out {output.model}"


rule make_cams:
    input:
        index=output_of("index"),
        model=prior_of_cams,
    output:
        "results/{run}/cams/{split}/{shard}.safetensors",
    log:
        "results/{run}/logs/make_cams.{split}.{shard}.log",
    benchmark:
        "results/{run}/benchmarks/make_cams.{split}.{shard}.tsv"
    resources:
        mem_mb=memory(8000, 1500),
        runtime=growing(240),
        gpu=gpu_of,
    params:
        **settings_of("cams"),
    message:
        "{wildcards.run}: compute the CAMs of {wildcards.split}, shard {wildcards.shard}"
    shell:
        "python -m workflow.scripts.make_cams --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --model {input.model}"
        " --shard {wildcards.shard} --out {output}"


rule evaluate_cams:
    input:
        index=output_of("index", "train"),
        cams=shards_of("cams", "train"),
    output:
        metrics="results/{run}/metrics/cams.json",
        curve="results/{run}/metrics/cams.csv",
        images="results/{run}/metrics/cams.images.csv",
    log:
        "results/{run}/logs/evaluate_cams.log",
    benchmark:
        "results/{run}/benchmarks/evaluate_cams.tsv"
    threads: threads_of
    resources:
        mem_mb=memory(4000),
        runtime=growing(120),
    params:
        **settings_of("cams_metrics"),
    message:
        "{wildcards.run}: evaluate the CAMs"
    shell:
        "python -m workflow.scripts.evaluate_cams --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --cams {input.cams}"
        " --out {output.metrics} --curve {output.curve} --images {output.images}"
