# The priors: an ordinary classifier (OC), the generator that is trained against it, and its CAMs.


rule train_oc:
    input:
        index=made_by("index", "index/{train}.csv"),
        weights=weights_file("oc"),
    output:
        model="results/{run}/models/oc.safetensors",
        metrics="results/{run}/metrics/oc_training.csv",
    log:
        "results/{run}/logs/train_oc.log",
    benchmark:
        "results/{run}/benchmarks/train_oc.tsv"
    message:
        "{wildcards.run}: trains the ordinary classifier"
    threads: threads_of
    resources:
        mem_mb=16000,
        runtime=1440,
        gpu=gpus_of,
    params:
        config=config_of("oc"),
    shell:
        "python {SCRIPTS}/train_oc.py --run {wildcards.run} --config {params.config:q}"
        " --index {input.index} --out {output.model} --metrics {output.metrics} --log {log}"


rule train_priors:
    input:
        index=made_by("index", "index/{train}.csv"),
        oc=oc_of_priors,
        weights=weights_file("priors"),
    output:
        model="results/{run}/models/priors.safetensors",
        metrics="results/{run}/metrics/priors_training.csv",
    log:
        "results/{run}/logs/train_priors.log",
    benchmark:
        "results/{run}/benchmarks/train_priors.tsv"
    message:
        "{wildcards.run}: trains the generator of the CAMs"
    threads: threads_of
    resources:
        mem_mb=32000,
        runtime=2880,
        gpu=gpus_of,
    params:
        config=config_of("priors"),
    shell:
        "python {SCRIPTS}/train_priors.py --run {wildcards.run} --config {params.config:q}"
        " --index {input.index} --oc {input.oc} --out {output.model} --metrics {output.metrics} --log {log}"


rule make_cams:
    input:
        index=made_by("index", "index/{split}.csv"),
        model=made_by("priors", "models/priors.safetensors"),
    output:
        "results/{run}/cams/{split}/{shard}.safetensors",
    log:
        "results/{run}/logs/make_cams.{split}.{shard}.log",
    benchmark:
        "results/{run}/benchmarks/make_cams.{split}.{shard}.tsv"
    message:
        "{wildcards.run}: CAMs of {wildcards.split}, shard {wildcards.shard}"
    resources:
        mem_mb=8000,
        runtime=240,
        gpu=1,
    params:
        config=config_of("cams"),
    shell:
        "python {SCRIPTS}/make_cams.py --run {wildcards.run} --config {params.config:q}"
        " --index {input.index} --model {input.model} --shard {wildcards.shard} --out {output} --log {log}"


rule evaluate_cams:
    input:
        index=made_by("index", "index/{train}.csv"),
        cams=cams_of_training,
    output:
        "results/{run}/metrics/cams.json",
        "results/{run}/metrics/cams.csv",
    log:
        "results/{run}/logs/evaluate_cams.log",
    benchmark:
        "results/{run}/benchmarks/evaluate_cams.tsv"
    message:
        "{wildcards.run}: scores the CAMs"
    threads: threads_of
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        config=config_of("cams_metrics"),
    shell:
        "python {SCRIPTS}/evaluate_cams.py --run {wildcards.run} --config {params.config:q}"
        " --index {input.index} --cams {input.cams} --out {output[0]} --log {log}"
