# Prompts and responses, and the base model that reads them.


rule prepare_data:
    input:
        upstream("data"),
    output:
        entry("data"),
    params:
        spec=spec("data"),
        out=out("data"),
    log:
        job_log("data"),
    benchmark:
        job_log("data", "tsv")
    threads: 1
    shell:
        run_script("prepare_data")


rule build_base:
    input:
        upstream("base"),
    output:
        entry("base"),
    params:
        spec=spec("base"),
        out=out("base"),
    log:
        job_log("base"),
    benchmark:
        job_log("base", "tsv")
    threads: 1
    shell:
        run_script("build_base")
