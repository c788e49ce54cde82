# Checks before planning and before the first job, and cleanup at the end.


# By their rules, the stages that start from pretrained weights: trainings and others.
TRAININGS = {stage.rule: name for name, stage in STAGES.items() if stage.kind == "training"}
PRETRAINED = {**TRAININGS, **{stage.rule: name for name, stage in STAGES.items() if stage.kind == "text"}}


def planned_pretrained() -> list[str]:
    """The planned stages that start from pretrained weights, as run/stage."""
    jobs = [job for job in workflow.dag.needrun_jobs() if job.rule.name in PRETRAINED]
    return sorted(f"{job.wildcards.run}/{PRETRAINED[job.rule.name]}" for job in jobs)


def discard_retained(but: list[str]) -> None:
    """Delete the retained outputs of trainings that this workflow has recorded: all `but` these run/stage."""
    for job in workflow.dag.jobs:
        run, stage = job.wildcards.get("run"), TRAININGS.get(job.rule.name)
        if stage and f"{run}/{stage}" not in but:
            discard(Path("results", run), stage)


# A terminal shows what a person needs; a dry-run, and a job's own Snakemake on a cluster, say everything.
if workflow.is_main_process and not (workflow.output_settings.dryrun or workflow.output_settings.verbose):
    install(workflow.logger_manager, local=lambda: workflow.local_exec)

# A mistake in a configuration has to stop before anything is planned.
if workflow.is_main_process:
    try:
        for name in sorted(requested_runs()):
            require_imported(run_named(name))
    except UserError as error:
        stop(str(error))


onstart:
    if workflow.executor_plugin.name == "slurm":
        import snakemake_executor_plugin_slurm

        retry_unanswered_queries(snakemake_executor_plugin_slurm)
    # Missing weights must be reported before hours of another training. They are no rule's input: Snakemake
    # ignores a missing input where an old output exists.
    pretrained = planned_pretrained()
    discard_retained(but=pretrained)
    if pretrained and run_check("check_weights", pretrained).returncode:
        sys.exit(1)  # the process has said why


onsuccess:
    discard_retained(but=[])


onerror:
    discard_retained(but=[])
