# What a run says while it goes on and at its end, where it was asked for stable paths. One that is asked for
# entries of the store, for `check` or for `prefetch` has no results to tell of.

import logging

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from moa.tools import ending
from moa.tools.durations import Durations
from moa.tools.status import Status
from moa.workflow.views import outdated_notes


class Voice(logging.Handler):
    """Adds a line to Snakemake's counts of steps, and an end to a run that has nothing to do: there are no
    hooks for these."""

    def __init__(self):
        super().__init__()
        self.durations = Durations(PLAN, LOGS)

    def emit(self, record):
        if not (ASKED and makes_something()):
            return
        try:
            if getattr(record, "event", None) in (LogEvent.RUN_INFO, LogEvent.PROGRESS):
                if said := going_on(self.durations):
                    logger.info(said)
            elif record.msg == NOTHING_TO_BE_DONE_MSG:
                end_well()
        except Exception:
            self.handleError(record)  # says so; jobs go on


def entries_of(jobs):
    """Those that jobs make; others, such as `check`, make none."""
    folders = [Path(str(file)).parent for job in jobs for file in job.output]
    made = [f"{folder.parent.name}/{folder.name}" for folder in folders]
    return [PLAN.entries[rel] for rel in made if rel in PLAN.entries]


def at_once():
    """How many jobs may run side by side; where GPUs are limited, they are what most jobs wait for."""
    if "gpu" in workflow.global_resources:
        return workflow.global_resources["gpu"].value
    return workflow.cores if workflow.local_exec else workflow.nodes


def going_on(durations):
    return ending.going_on(
        Status(PLAN, time.time(), todo := entries_of(workflow.dag.needrun_jobs())),
        durations,
        todo,
        entries_of(workflow.scheduler.running),
        entries_of(workflow.scheduler.failed),
        at_once=at_once(),
        queued=not workflow.local_exec,
    )


def end_well():
    if ASKED:
        config = os.path.relpath(ORIGIN.config, ORIGIN.checkout)
        say(ending.success(PLAN, config, ASKED))


def end_badly():
    if ASKED:
        status = Status(PLAN, time.time())
        failed = entries_of(workflow.scheduler.failed)
        failures = status.failed(failed, LOGS, since=float(os.environ[PLANNED_AT]))
        say(ending.failure(PLAN, status, failures, ASKED))


def say(text):
    print("", text, *outdated_notes(PLAN, Path.cwd()), "", sep="\n", file=sys.stderr)


if workflow.is_main_process and not AS_MODULE:  # whose run has jobs of its own, and an end
    logger.addHandler(Voice())


onsuccess:
    end_well()


onerror:
    end_badly()
