# Prompts and responses, and the base model that reads them.


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
