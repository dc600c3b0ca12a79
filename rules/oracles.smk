# Reward oracles that are fitted here, pairs made of the base's own answers, and the statistics that normalise every
# reward.


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


rule sample_answers:
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
        run_script("sample_answers")


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
