# Supervised fine-tuning: where every method starts.


rule train_sft:
    input:
        upstream("sft"),
    output:
        entry("sft"),
    log:
        job_log("sft"),
    benchmark:
        job_log("sft", "tsv")
    threads: 1
    params:
        spec=spec("sft"),
        out=out("sft"),
    shell:
        TENSORBOARD + run_script("train_sft")
