# Tables, and the metrics they show.


rule write_tables:
    input:
        upstream("table"),
    output:
        manifest("table"),
    log:
        job_log("table"),
    benchmark:
        job_log("table", "tsv")
    priority: early("table")
    localrule: True
    threads: 1
    params:
        spec=spec("table"),
        out=out("table"),
        views=views("table"),
    shell:
        run_script("write_tables") + LINK
