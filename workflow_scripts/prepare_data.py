"""Load a task's dataset, split it by prompt, and write data.parquet.

In:  spec.params: data (kind, n_train, n_test, split_seed and the kind's own keys).
Out: data.parquet with prompt_id (one for all spellings of a prompt), prompt, chosen, rejected, split
     (and the kind's own columns);
     rows and prompts of each split, and rows dropped, by reason, in the manifest's notes.
"""

from collections import Counter
from importlib import import_module

import pandas as pd

from moa.datasets import module_name
from moa.datasets.distinct import spellings, split_prompts
from moa.runtime.job import log, run
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    params = job.params["data"]
    dropped: Counter[str] = Counter()
    dataset = import_module(module_name(params["kind"])).load(params, dropped)
    frame = dataset.to_pandas()
    prompts = frame["prompt"].tolist()
    frame["split"] = split_prompts(
        prompts, params["n_train"], params["n_test"], params["split_seed"]
    )
    # Prompts that count as one have one id, so that n_test of them are evaluated, each once.
    ids = pd.Series(spellings(prompts)).rank(method="dense").astype(int) - 1
    frame.insert(0, "prompt_id", ids)
    frame = frame[frame["split"].notna()].reset_index(drop=True)
    frame.to_parquet(job.out / "data.parquet")
    by_split = frame.groupby("split")["prompt_id"]
    job.notes = {
        "dropped": dict(dropped),
        "rows": by_split.size().to_dict(),
        "prompts": by_split.nunique().to_dict(),
    }
    log.info("%s", job.notes)


if __name__ == "__main__":
    run(main, __doc__)
