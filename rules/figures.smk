# Every figure is a job of its own.


rule draw_figure:
    input:
        upstream("figure"),
    output:
        manifest("figure"),
    log:
        job_log("figure"),
    benchmark:
        job_log("figure", "tsv")
    priority: early("figure")
    localrule: True
    threads: 1
    params:
        spec=spec("figure"),
        out=out("figure"),
        views=views("figure"),
    shell:
        run_script("draw_figure") + LINK
