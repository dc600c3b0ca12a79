# Online preference optimisation: MI-EPO and MO-ODPO.


rule train_online:
    input:
        upstream("train"),
    output:
        entry("train"),
    log:
        job_log("train"),
    benchmark:
        job_log("train", "tsv")
    threads: 1
    params:
        spec=spec("train"),
        out=out("train"),
    shell:
        TENSORBOARD + run_script("train_online")
