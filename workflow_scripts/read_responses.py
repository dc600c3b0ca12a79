"""Read the responses of a run that come out of a user's file: to every test prompt under every vector.

In:  data; spec.params: file, sha256 (of what it held when this was planned), objectives, vectors.
Out: generations.parquet, as generate_responses.py leaves it, of one seed. What a file does not tell is
     missing: tokens, finished, ids.
"""

from pathlib import Path

from moa.datasets.grid import of_seed, placed
from moa.datasets.lines import read_lines
from moa.datasets.splits import read_split
from moa.runtime.errors import JobError
from moa.runtime.files import file_digest
from moa.runtime.job import log, run
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    path, objectives = Path(job.params["file"]), job.params["objectives"]
    lines = read_lines(path, objectives, scores=False)
    if file_digest(path) != job.params["sha256"]:
        raise JobError(f"{path} has changed since this was planned: run it again")
    if lines.scored:
        log.info("scores in %s are not read: the task's oracles score all of its runs", path)
    test = read_split(job.inputs["data"], "test").drop_duplicates("prompt_id")
    prompts = dict(zip(test["prompt"].tolist(), test["prompt_id"].tolist(), strict=True))
    whose = "the task's test split and evaluation vectors"
    own = of_seed(lines, job.seed)
    rows = placed(own, objectives, prompts, job.params["vectors"], whose)
    rows = rows.drop(columns="row").assign(sample=0, ids=None)
    rows.to_parquet(job.out / "generations.parquet")
    job.notes["rows"] = {
        "of this seed": len(own.rows),
        "of others": len(lines.rows) - len(own.rows),
    }
    log.info("%d responses to %d prompts", len(own.rows), len(prompts))


if __name__ == "__main__":
    run(main, __doc__)
