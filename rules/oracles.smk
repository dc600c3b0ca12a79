# Reward oracles that are fitted here, and the statistics that normalise every reward.


rule fit_oracle:
    input:
        upstream("oracle"),
    output:
        manifest("oracle"),
    log:
        job_log("oracle"),
    benchmark:
        job_log("oracle", "tsv")
    priority: early("oracle")
    threads: 1
    params:
        spec=spec("oracle"),
        out=out("oracle"),
    shell:
        run_script("fit_oracle")


rule score_offline:
    input:
        upstream("oracle_stats"),
    output:
        manifest("oracle_stats"),
    log:
        job_log("oracle_stats"),
    benchmark:
        job_log("oracle_stats", "tsv")
    priority: early("oracle_stats")
    threads: 1
    resources:
        gpu=gpus("oracle_stats"),
    params:
        spec=spec("oracle_stats"),
        out=out("oracle_stats"),
    shell:
        run_script("score_offline")
