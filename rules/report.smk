# All that people look at, in one file to keep or to send: `make report`, with Snakemake's own reporter.
# It takes whatever carries report(), of a job's outputs or inputs. Here it is inputs, of a job that runs
# nothing: what a job declares as output, Snakemake deletes before it runs the job, also if another checkout
# has published it just then. `workflow_scripts/write_report.py` writes captions and pages first.

from moa.workflow.reported import reported

if not AS_MODULE:

    report: "report/workflow.rst"


rule report:
    input:
        manifests_of(PLAN.views),
        [
            report(
                str(shown.file),
                caption=str(shown.caption.absolute()),
                category=shown.category,
                subcategory=shown.kind,
                labels=shown.labels,
            )
            for shown in reported(PLAN, Path())
        ],
    localrule: True
