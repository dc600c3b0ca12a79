# Every method from the SFT policy on: online preference optimisation, RLHF experts, RiC.


rule train_online:
    input:
        upstream("online"),
    output:
        manifest("online"),
    log:
        job_log("online"),
    benchmark:
        job_log("online", "tsv")
    priority: early("online")
    threads: 1
    resources:
        gpu=gpus("online"),
    params:
        spec=spec("online"),
        out=out("online"),
        launcher=launcher("online"),
    shell:
        train_script("train_online")


rule train_expert:
    input:
        upstream("expert"),
    output:
        manifest("expert"),
    log:
        job_log("expert"),
    benchmark:
        job_log("expert", "tsv")
    priority: early("expert")
    threads: 1
    resources:
        gpu=gpus("expert"),
    params:
        spec=spec("expert"),
        out=out("expert"),
        launcher=launcher("expert"),
    shell:
        train_script("train_expert")


rule train_ric:
    input:
        upstream("ric"),
    output:
        manifest("ric"),
    log:
        job_log("ric"),
    benchmark:
        job_log("ric", "tsv")
    priority: early("ric")
    threads: 1
    resources:
        gpu=gpus("ric"),
    params:
        spec=spec("ric"),
        out=out("ric"),
        launcher=launcher("ric"),
    shell:
        train_script("train_ric")
