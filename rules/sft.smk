# Supervised fine-tuning: where every method starts.


rule train_sft:
    input:
        upstream("sft"),
    output:
        manifest("sft"),
    log:
        job_log("sft"),
    benchmark:
        job_log("sft", "tsv")
    priority: early("sft")
    threads: 2
    resources:
        gpu=gpus("sft"),
    params:
        spec=spec("sft"),
        out=out("sft"),
        launcher=launcher("sft"),
    shell:
        train_script("train_sft")
