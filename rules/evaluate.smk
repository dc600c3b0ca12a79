# One response per preference vector and test prompt, in blocks of vectors; their rewards and
# likelihoods; the metrics of a task.


rule generate_responses:
    input:
        upstream("generate"),
    output:
        manifest("generate"),
    log:
        job_log("generate"),
    benchmark:
        job_log("generate", "tsv")
    threads: 1
    resources:
        gpu=gpus("generate"),
    params:
        spec=spec("generate"),
        out=out("generate"),
    shell:
        run_script("generate_responses")


rule score_responses:
    input:
        upstream("score"),
    output:
        manifest("score"),
    log:
        job_log("score"),
    benchmark:
        job_log("score", "tsv")
    threads: 1
    resources:
        gpu=gpus("score"),
    params:
        spec=spec("score"),
        out=out("score"),
    shell:
        run_script("score_responses")


rule compute_likelihoods:
    input:
        upstream("likelihoods"),
    output:
        manifest("likelihoods"),
    log:
        job_log("likelihoods"),
    benchmark:
        job_log("likelihoods", "tsv")
    threads: 1
    resources:
        gpu=gpus("likelihoods"),
    params:
        spec=spec("likelihoods"),
        out=out("likelihoods"),
    shell:
        run_script("compute_likelihoods")


rule compute_metrics:
    input:
        upstream("metrics"),
    output:
        manifest("metrics"),
    log:
        job_log("metrics"),
    benchmark:
        job_log("metrics", "tsv")
    localrule: True
    threads: 1
    params:
        spec=spec("metrics"),
        out=out("metrics"),
    shell:
        run_script("compute_metrics")
