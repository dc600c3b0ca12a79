"""Build the base model's folder: train a small one, or convert or copy a given one.

In:  spec.params: base (kind and its own keys).
Out: a folder that transformers' from_pretrained loads, with its tokenizer.
"""

from importlib import import_module

from pydantic import TypeAdapter

from moa.runtime.checks import require
from moa.runtime.job import log, run
from moa.runtime.publishing import Job
from moa.training.bases import module_name
from moa.training.bases.settings import PinnedBase
from moa.training.processes import use_threads


def main(job: Job) -> None:
    use_threads()
    # What local files hold counts in the key; a kind of base is not told of it.
    params = {key: value for key, value in job.params["base"].items() if key != "contents"}
    settings = TypeAdapter[PinnedBase](PinnedBase).validate_python(params)
    import_module(module_name(settings.kind)).build(settings, job.inputs, job.out)
    # By name: a check changes no byte of what was built, so its code has no part in the key.
    checks = import_module("moa.models.self_check").check_base(job.out)
    for check in checks:
        log.info("%s: %s", check.what, check.found)
    require(checks, settings.kind)


if __name__ == "__main__":
    run(main, __doc__)
