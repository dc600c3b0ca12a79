# A page of each task's responses, to explore in a browser.


rule write_explorer:
    input:
        upstream("explorer"),
    output:
        manifest("explorer"),
    log:
        job_log("explorer"),
    benchmark:
        job_log("explorer", "tsv")
    priority: early("explorer")
    localrule: True
    threads: 1
    params:
        spec=spec("explorer"),
        out=out("explorer"),
        views=views("explorer"),
    shell:
        run_script("write_explorer") + LINK
