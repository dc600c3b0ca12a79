# What a config takes from the hub, fetched where there is internet: compute nodes need none.
# No key and no output: what it locks decides keys. So it runs whenever it is asked for, and checks.

from moa.runtime.hub_lock import LOCK


rule prefetch:
    localrule: True
    params:
        cache=str(HUB),
        lock=str(LOCK),
        repositories=[f"{r.type}:{r.id}@{r.revision}" for r in sorted(PLAN.repositories)],
    shell:
        f"{PREFIX}export HF_HUB_OFFLINE=0; unset HF_HUB_DISABLE_PROGRESS_BARS; "
        f"{PYTHON} {shlex.quote(str(SCRIPTS / 'prefetch_hub.py'))} "
        "--cache {params.cache:q} --lock {params.lock:q} {params.repositories:q}"
