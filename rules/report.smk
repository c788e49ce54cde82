# Figures, tables and the page of a run.


rule draw_training:
    input:
        "results/{run}/metrics/{training}_training.csv",
    output:
        report(
            "results/{run}/figures/{training}_training.png",
            caption="../workflow/report/training.rst",
            category="Trainings",
            labels={"run": "{run}", "shows": "{training}"},
        ),
    log:
        "results/{run}/logs/draw_training.{training}.log",
    benchmark:
        "results/{run}/benchmarks/draw_training.{training}.tsv"
    resources:
        mem_mb=memory(2000),
        runtime=growing(10),
    params:
        **settings_of("{training}"),
    message:
        "{wildcards.run}: plot the training of {wildcards.training}"
    shell:
        "python -m workflow.scripts.draw_training --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --training {wildcards.training} --metrics {input}"
        " --out {output}"


rule draw_cams:
    input:
        index=output_of("index", "train"),
        cams=shards_of("cams", "train"),
        metrics="results/{run}/metrics/cams.json",
    output:
        sheet=report(
            "results/{run}/figures/cams.png",
            caption="../workflow/report/cams.rst",
            category="Priors",
            labels={"run": "{run}", "shows": "images"},
        ),
        curve=report(
            "results/{run}/figures/cams_threshold.png",
            caption="../workflow/report/cams_threshold.rst",
            category="Priors",
            labels={"run": "{run}", "shows": "thresholds"},
        ),
    log:
        "results/{run}/logs/draw_cams.log",
    benchmark:
        "results/{run}/benchmarks/draw_cams.tsv"
    resources:
        mem_mb=memory(2000),
        runtime=growing(30),
    params:
        **settings_of("cams_metrics"),
    message:
        "{wildcards.run}: draw images, masks and CAMs"
    shell:
        "python -m workflow.scripts.draw_cams --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --cams {input.cams}"
        " --metrics {input.metrics} --out {output.sheet} --curve {output.curve}"


rule draw_saliency:
    input:
        **saliency_of_training,
        index=output_of("index", "train"),
        metrics="results/{run}/metrics/saliency.json",
    output:
        sheet=report(
            "results/{run}/figures/saliency.png",
            caption="../workflow/report/saliency.rst",
            category="Saliency",
            labels={"run": "{run}", "shows": "images"},
        ),
        curve=report(
            "results/{run}/figures/saliency_threshold.png",
            caption="../workflow/report/saliency_threshold.rst",
            category="Saliency",
            labels={"run": "{run}", "shows": "thresholds"},
        ),
    log:
        "results/{run}/logs/draw_saliency.log",
    benchmark:
        "results/{run}/benchmarks/draw_saliency.tsv"
    resources:
        mem_mb=memory(2000),
        runtime=growing(30),
    params:
        **settings_of("saliency_metrics"),
    message:
        "{wildcards.run}: draw images, masks and saliency"
    shell:
        "python -m workflow.scripts.draw_saliency --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --c2am {input.c2am} --crf {input.crf}"
        " --poolnet {input.poolnet} --metrics {input.metrics} --out {output.sheet} --curve {output.curve}"


rule draw_walks:
    input:
        index=output_of("index", "train"),
        walks=shards_of("walks", "train"),
        metrics="results/{run}/metrics/walks.json",
    output:
        sheet=report(
            "results/{run}/figures/walks.png",
            caption="../workflow/report/walks.rst",
            category="Affinity",
            labels={"run": "{run}", "shows": "images"},
        ),
        curve=report(
            "results/{run}/figures/walks_threshold.png",
            caption="../workflow/report/walks_threshold.rst",
            category="Affinity",
            labels={"run": "{run}", "shows": "thresholds"},
        ),
    log:
        "results/{run}/logs/draw_walks.log",
    benchmark:
        "results/{run}/benchmarks/draw_walks.tsv"
    resources:
        mem_mb=memory(2000),
        runtime=growing(30),
    params:
        **settings_of("walks_metrics"),
    message:
        "{wildcards.run}: draw images, masks and walked CAMs"
    shell:
        "python -m workflow.scripts.draw_walks --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --walks {input.walks}"
        " --metrics {input.metrics} --out {output.sheet} --curve {output.curve}"


rule draw_labels:
    input:
        index=output_of("index"),
        maps=shards_of("{labels}"),
        metrics="results/{run}/metrics/{labels}.{split}.json",
    output:
        report(
            "results/{run}/figures/{labels}.{split}.png",
            caption="../workflow/report/labels.rst",
            category="Label maps",
            labels={"run": "{run}", "shows": "{labels} of {split}"},
        ),
    log:
        "results/{run}/logs/draw_labels.{labels}.{split}.log",
    benchmark:
        "results/{run}/benchmarks/draw_labels.{labels}.{split}.tsv"
    resources:
        mem_mb=memory(2000),
        runtime=growing(30),
    params:
        **settings_of("{labels}"),
    message:
        "{wildcards.run}: draw images, masks and the {wildcards.labels} of {wildcards.split}"
    shell:
        "python -m workflow.scripts.draw_labels --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --labels {wildcards.labels} --index {input.index}"
        " --maps {input.maps} --metrics {input.metrics} --out {output}"


rule report_chain:
    input:
        metrics=metrics_of_run,
        seeds=metrics_of_seeds,
    output:
        "results/{run}/metrics/chain.csv",
    log:
        "results/{run}/logs/report_chain.log",
    benchmark:
        "results/{run}/benchmarks/report_chain.tsv"
    resources:
        mem_mb=memory(1000),
        runtime=growing(10),
    params:
        **settings_of("masks"),
    message:
        "{wildcards.run}: tabulate score, time and memory of each stage"
    shell:
        "python -m workflow.scripts.report_chain --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --metrics {input.metrics} --out {output}"


rule report:
    input:
        index=output_of("index", "val"),
        maps=pictures_of_run,
        masks=shards_of("masks", "val"),
        metrics=metrics_of_run,
        trainings=logs_of_trainings,
        chain="results/{run}/metrics/chain.csv",
    output:
        page=report(
            "results/{run}/report.html",
            caption="../workflow/report/page.rst",
            category="Whole run",
            labels={"run": "{run}", "shows": "all on one page"},
        ),
        images="results/{run}/metrics/images.json",
    log:
        "results/{run}/logs/report.log",
    benchmark:
        "results/{run}/benchmarks/report.tsv"
    resources:
        mem_mb=memory(2000),
        runtime=growing(30),
    params:
        **settings_of("masks"),
    message:
        "{wildcards.run}: write the report page"
    shell:
        "python -m workflow.scripts.report --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input.index} --maps {input.maps}"
        " --masks {input.masks} --metrics {input.metrics} --trainings {input.trainings} --chain {input.chain}"
        " --out {output.page} --images {output.images}"
