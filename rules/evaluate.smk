# The responses to a block of preference vectors, their likelihoods and rewards, in one job; responses that
# are a user's own; the metrics of a task.


rule read_responses:
    input:
        upstream("responses"),
    output:
        manifest("responses"),
    log:
        job_log("responses"),
    benchmark:
        job_log("responses", "tsv")
    priority: early("responses")
    threads: 1
    params:
        spec=spec("responses"),
        out=out("responses"),
    shell:
        run_script("read_responses")


rule evaluate_block:
    input:
        evaluated,
    output:
        manifest("evaluate"),
    log:
        job_log("evaluate"),
    benchmark:
        job_log("evaluate", "tsv")
    priority: early("evaluate")
    threads: 1
    resources:
        gpu=gpus("evaluate"),
    params:
        spec=spec("evaluate"),
        out=out("evaluate"),
        parts=part_specs,  # written for the job to find
    shell:
        run_script("evaluate_block")


rule compute_metrics:
    input:
        upstream("metrics"),
    output:
        manifest("metrics"),
    log:
        job_log("metrics"),
    benchmark:
        job_log("metrics", "tsv")
    priority: early("metrics")
    localrule: True
    threads: 1
    params:
        spec=spec("metrics"),
        out=out("metrics"),
    shell:
        run_script("compute_metrics")
