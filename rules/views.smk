# Figures, tables, explorers and policies are asked for by a stable path, results/<config>/<task>/... . It is
# the name of a target that needs the entry behind it, and no output of a job: what shows an older
# entry would pass for made. Links are set when a run begins, and by the job that made an entry.

from functools import cache

from moa.workflow.origins import Origin, record, sign_views
from moa.workflow.views import show_views

ASKED = {}  # the stable paths that this run is asked for, in order
ORIGIN = Origin.of(Path(workflow.configfiles[-1]), SETTINGS, Path.cwd())


@cache
def begin_run():
    """Show what the store already has. Not in `onstart`, which is left out if no job has to run."""
    if not (workflow.is_main_process and makes_something()):
        return
    root = Path.cwd()
    record(PLAN, ORIGIN, STORE)
    if replaced := sign_views(PLAN, ORIGIN, root):
        print(replaced, file=sys.stderr)
    show_views(PLAN, STORE, root)


def manifests_of(paths):
    return list(dict.fromkeys(str(STORE / PLAN.views[p][0].rel / "manifest.json") for p in paths))


def shown(wildcards):
    ASKED.update(PLAN.views)
    begin_run()
    return manifests_of(PLAN.views)


def shown_by(path):
    def entry(wildcards):
        (made,) = manifests_of([path])
        if workflow.dag_settings.forcetargets:
            raise WorkflowError(f"--force makes no link anew, only what it shows: ask for {made}")
        ASKED[path] = PLAN.views[path]
        begin_run()
        return made

    return entry


def refuse(wildcards):
    wanted = "results/{config}/{view}".format(**wildcards)
    if wanted in PLAN.views:
        raise WorkflowError(f"ask for {wanted} just so, without anything before it")
    raise WorkflowError(f"this config makes no {wanted}, but: {', '.join(PLAN.views)}")


for view in PLAN.views:

    rule:
        name:
            view
        input:
            shown_by(view),


rule no_such_view:
    input:
        refuse,
    output:
        "results/{config}/{view}",
    wildcard_constraints:
        config="[^/]+(/[^/]+)?",  # a task's, or all tasks'
        view=r"(figures|tables|policies)/[^/]+|explorer\.html",
