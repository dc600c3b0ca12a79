# What it takes to ask each trained policy, for chat and export.


rule describe_policy:
    input:
        upstream("policy"),
    output:
        manifest("policy"),
    log:
        job_log("policy"),
    benchmark:
        job_log("policy", "tsv")
    priority: early("policy")
    localrule: True
    threads: 1
    params:
        spec=spec("policy"),
        out=out("policy"),
        views=views("policy"),
    shell:
        run_script("describe_policy") + LINK
