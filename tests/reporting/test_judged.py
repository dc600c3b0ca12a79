"""The judges' numbers in every table, and the hypervolume at matched KL."""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from typing import Any

import pandas as pd
import pytest

import write_tables
from moa.evaluation.seed_tests import paired
from moa.reporting.judged import views
from moa.reporting.tables import summary
from moa.reporting.tables.common import to_markdown
from moa.runtime.files import write_json
from moa.runtime.publishing import Job
from support.made_up_tables import PAPER, TABLES, cells, made_up, spread


def judged(**levels: float) -> dict[str, Any]:
    """Judges that find half of what the oracles find."""
    theirs = made_up(**{name: level / 2 for name, level in levels.items()})
    gaps = {
        name: {key: spread(run[key]["mean"], 3) for key in ("hv", "mip", "crd")}
        for name, run in theirs["runs"].items()
        if run["hv"]
    }
    own = ("runs", "comparisons", "references", "matched_kl", "oracle_reports", "normalisation")
    return made_up(**levels) | {"judged": {key: theirs[key] for key in own} | {"gaps": gaps}}


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_the_judges_numbers_too(tmp_path, name):
    metrics = judged(mo_odpo=3.0, mi_epo=4.0)
    write_json(tmp_path / "metrics.json", metrics)
    (out := tmp_path / "out").mkdir()
    params = {"table": name, "name": name, "paper": PAPER}
    write_tables.main(Job({"params": params}, {"metrics": tmp_path}, out, tmp_path))
    first, second = (out / f"{name}.md").read_text().split("\n# ")
    assert "by the judges" in second.splitlines()[0] and "judge" not in first
    assert "Rewards are those of the judges" in second and "Judge helpfulness" in second
    assert set(pd.read_csv(out / f"{name}.csv")["by"]) == {"oracles", "judges"}
    assert (out / f"{name}.tex").read_text().count("tabular}") == 4


def test_the_judges_summary_has_the_gap():
    own, theirs = views(judged(mo_odpo=3.0, mi_epo=4.0))
    header, *rows = cells(to_markdown(summary.table(theirs, PAPER)))
    row = dict(zip(header, rows[-1], strict=True))
    assert row["HV ↑"] == "4.00 [3.88, 4.12] ± 0.06"
    assert (row["Gap in HV"], row["Gap in MIP"]) == ("+4.00 [+3.88, +4.12]", "+0.50 [+0.38, +0.62]")
    assert summary.frame(theirs, PAPER).set_index("run").loc["mi_epo", "gap_hv_low"] == 3.875
    assert "Gap" not in to_markdown(summary.table(own, PAPER))


def test_the_hypervolume_at_matched_kl_stands_beside_the_others():
    metrics = made_up(sft=1.0, mo_odpo=3.0, mi_epo=4.0)
    test = asdict(paired([5.5, 5.75, 5.6], [5.0, 5.0, 5.0]))
    metrics["matched_kl"] = {
        "between": ["mi_epo", "mo_odpo"],
        "kl": {"mean": 1.25},
        "hv": {"sft": None, "mo_odpo": {"mean": 5.0}, "mi_epo": {"mean": 5.5}},
        "difference": test,
    }
    header, *rows = cells(to_markdown(summary.table(metrics, PAPER)))
    at = header.index("HV at matched KL")
    assert [row[at] for row in rows] == ["–", "5.00", "5.50"]
    assert summary.frame(metrics, PAPER)["hv_at_matched_kl"].tolist()[1:] == [5.0, 5.5]
    said = to_markdown(import_module("moa.reporting.tables.verdict").table(metrics, PAPER))
    assert "At matched KL (1.25 nats per response; summary.md says how), the HV of MI_EPO" in said
    assert f"is {test['mean']:+.3f} [{test['low']:+.3f}, {test['high']:+.3f}]" in said
