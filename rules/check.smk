# Whether what a config brings works together, tried before anything is trained on it. No output: what it
# finds is for people, and it runs whenever it is asked for.


def check_inputs(wildcards):
    begin_run()
    needed = [e for entries in PLAN.starts() for e in entries.values()]
    return list(dict.fromkeys(str(STORE / entry.rel / "manifest.json") for entry in needed))


rule check:
    input:
        check_inputs,
    log:
        str(LOGS / "check" / f"{PLAN.config.name}.log"),
    threads: 1
    resources:
        gpu=1,
    params:
        config=ORIGIN.config,
        given=json.dumps(ORIGIN.given),
    shell:
        f"{PREFIX}{PYTHON} {shlex.quote(str(SCRIPTS / 'check_config.py'))} "
        "--configfile {params.config:q} --given {params.given:q} 2>&1 | tee {log:q}"
