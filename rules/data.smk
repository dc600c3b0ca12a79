# Prompts and responses, the base model that reads them, and its own responses where data has none.


rule prepare_data:
    input:
        upstream("data"),
    output:
        manifest("data"),
    log:
        job_log("data"),
    benchmark:
        job_log("data", "tsv")
    priority: early("data")
    threads: 1
    params:
        spec=spec("data"),
        out=out("data"),
    shell:
        run_script("prepare_data")


rule build_base:
    input:
        upstream("base"),
    output:
        manifest("base"),
    log:
        job_log("base"),
    benchmark:
        job_log("base", "tsv")
    priority: early("base")
    threads: 2
    params:
        spec=spec("base"),
        out=out("base"),
    shell:
        run_script("build_base")


rule answer_prompts:
    input:
        upstream("answers"),
    output:
        manifest("answers"),
    log:
        job_log("answers"),
    benchmark:
        job_log("answers", "tsv")
    priority: early("answers")
    threads: 1
    resources:
        gpu=gpus("answers"),
    params:
        spec=spec("answers"),
        out=out("answers"),
    shell:
        run_script("answer_prompts")
