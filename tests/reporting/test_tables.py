"""Tables from made-up metrics: what each cell must say, for 2 and 3 objectives, 1 and 3 seeds."""

from __future__ import annotations

import io
import json
from importlib import import_module

import pandas as pd
import pytest

import write_tables
from moa.reporting.tables import comparisons, references, summary
from moa.reporting.tables.common import estimate, to_latex, to_markdown
from moa.reporting.tables.comparisons import agreement
from moa.runtime.files import write_json
from moa.runtime.publishing import Job
from support.made_up_tables import PAPER, TABLES, cells, made_up


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("optimum", [True, False])
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("k", [2, 3])
def test_every_table_is_whole_in_all_three_forms(name, k, seeds, optimum):
    metrics, table = made_up(k, seeds, optimum), import_module(f"moa.reporting.tables.{name}")
    markdown, latex = (
        to_markdown(table.table(metrics, PAPER)),
        to_latex(table.table(metrics, PAPER)),
    )
    frame = pd.read_csv(io.StringIO(table.frame(metrics, PAPER).to_csv(index=False)))
    rows = cells(markdown)
    assert len(rows) - 1 == {"verdict": 9, "comparisons": 30}.get(name, 5)
    lines = {"verdict": 9, "summary": 5, "comparisons": 30, "references": 15, "spread": 15}
    assert len(frame) == lines[name]
    body = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert {len(row) for row in rows} == {line.count(" & ") + 1 for line in body}
    assert len({len(row) for row in rows}) == 1
    columns = latex.split(r"\begin{tabular}{")[1].split("}")[0]
    assert len(columns) == len(rows[0])
    code = "\n".join(line for line in latex.splitlines() if not line.startswith("%"))
    assert (
        code.isascii() and "%" not in code.replace(r"\%", "") and "_" not in code.replace(r"\_", "")
    )
    spread = {"verdict": "[", "spread": " 0.700 "}.get(name, " ± ")
    assert (spread in markdown.split("\n\n")[1]) == (seeds == 3)  # none over one seed
    assert f"normalised reward^{k}" in markdown and f"{seeds} seed(s)" in markdown
    assert "SFT (!) |" in markdown or name == "verdict"  # the paper says nothing of it
    assert "(!) SFT: w has no visible effect: mean control 0.10." in markdown
    assert "human AUC 0.700 (n = 10); pairs pair accuracy 0.500 (n = 4)" in markdown
    assert all(f"% {note}" in latex for note in markdown.strip().split("\n\n")[2:])
    assert not {"nan", "None"} & {cell for row in rows for cell in row}


def test_the_summary_says_the_same_as_its_csv():
    metrics = made_up()
    rows = cells(to_markdown(summary.table(metrics, PAPER)))
    assert rows[0] == [
        *("Method", "HV ↑", "% of optimum", "paper", "MIP ↑", "% of optimum", "paper"),
        *("CRD ↓", "paper", "Control", "Decodability"),
        *("KL, nats / per token", "Tokens", "Finished / distinct, %"),
    ]
    assert rows[4] == [
        *("MI_EPO", "8.00 [7.88, 8.12] ± 0.06", "50.0", "2.70"),
        *("1.00 [0.88, 1.12] ± 0.06", "50.0", "1.01", "0.25 [0.12, 0.38] ± 0.06", "0.29"),
        *("0.75 / 0.75", "0.50", "1.50 / 0.250", "5.0", "100 / 50"),
    ]
    row = summary.frame(metrics, PAPER).set_index("run").loc["mi_epo"]
    assert (row["hv"], row["hv_low"], row["hv_high"], row["hv_seed_std"]) == (
        8,
        7.875,
        8.125,
        0.0625,
    )
    assert (row["hv_percent_of_optimum"], row["hv_paper"], row["prompts"]) == (50.0, 2.7, 40)
    assert "8.00 [7.88, 8.12] $\\pm$ 0.06" in to_latex(summary.table(metrics, PAPER))


def test_what_nothing_tells_is_a_dash_and_empty_in_the_csv():
    metrics = made_up(optimum=False)
    run = metrics["runs"]["mi_epo"]
    run |= dict.fromkeys(("decodability", "kl", "kl_per_token"))
    run["health"] |= {"tokens": None, "finished": None}
    text = to_markdown(summary.table(metrics, PAPER))
    assert cells(text)[4][-5:] == ["0.75 / 0.75", "–", "– / –", "–", "– / 50"]
    assert "–: of responses out of a file nothing tells" in text
    row = summary.frame(metrics, PAPER).set_index("run").loc["mi_epo"]
    assert row[["decodability_nats", "kl_nats", "response_tokens", "finished_share"]].isna().all()
    assert "out of a file" not in to_markdown(summary.table(made_up(), PAPER))


def test_without_the_papers_numbers_no_column_speaks_of_them():
    metrics = {**made_up(), "sft_response": None}
    for table in (summary, comparisons):
        text = to_markdown(table.table(metrics, {}))
        assert "paper" not in text and "SFT responses" not in text and "same SFT policy" not in text
        assert len({len(row) for row in cells(text)}) == 1


def test_rewards_that_are_taken_as_they_are_are_not_called_normalised():
    metrics = made_up()
    metrics["normalisation"]["of"] = None
    for name in ("summary", "comparisons", "references"):
        text = to_markdown(import_module(f"moa.reporting.tables.{name}").table(metrics, {}))
        assert "normalised" not in text and "Rewards are the scores of the files" in text


def test_without_an_optimum_no_column_speaks_of_it():
    metrics = made_up(optimum=False)
    assert "optimum" not in to_markdown(summary.table(metrics, PAPER))
    assert not any("optimum" in column for column in summary.frame(metrics, PAPER).columns)


def test_only_a_methods_plain_run_stands_beside_the_papers_number():
    frame = summary.frame(made_up(), PAPER).set_index("run")
    assert frame.loc["mi_epo", "hv_paper"] == 2.7
    assert pd.isna(frame.loc["mi_epo_strong", "hv_paper"]) and pd.isna(frame.loc["sft", "hv_paper"])
    pairs = comparisons.frame(made_up(), PAPER).set_index(["run", "against", "metric"])
    assert pd.isna(pairs.loc[("mi_epo", "mi_epo_strong", "hv"), "agrees"])


@pytest.mark.parametrize("k", [2, 3])
def test_experts_stand_in_a_note_of_the_summary_and_in_no_row(k):
    metrics = made_up(k)
    for table in (summary, comparisons, references):
        assert "rlhf" not in table.frame(metrics, PAPER)["run"].tolist()
        assert not any("RLHF" in row[0] for row in cells(to_markdown(table.table(metrics, PAPER))))
    numbers = {2: "helpfulness expert 2.00 / -1.00; harmlessness expert -1.00 / 2.00.", 3: None}[k]
    note = next(
        n for n in to_markdown(summary.table(metrics, PAPER)).split("\n\n") if n.startswith("RLHF")
    )
    assert note.count("expert ") >= k and (numbers is None or note.endswith(numbers))
    assert ("humor expert -1.00 / -1.00 / 2.00" in note) == (k == 3)


def test_an_experts_warning_is_told_though_it_has_no_row():
    metrics = made_up()
    metrics["runs"]["rlhf"]["warnings"] = ["collapsed: 90% of the responses are identical"]
    assert "(!) RLHF (single reward): collapsed: 90%" in to_markdown(summary.table(metrics, PAPER))


@pytest.mark.parametrize(
    ("low", "high", "run", "against", "expected"),
    [
        (0.1, 0.3, 2.7, 1.5, "yes"),
        (-0.3, -0.1, 0.29, 0.62, "yes"),  # CRD: lower is better, and lower in the paper too
        (-0.3, -0.1, 2.7, 1.5, "no"),
        (0.1, 0.3, 0.29, 0.62, "no"),
        (-0.1, 0.3, 2.7, 1.5, "open"),
        (0.0, 0.3, 2.7, 1.5, "open"),
        (-0.3, 0.0, 2.7, 1.5, "open"),
        (0.0, 0.0, 2.7, 1.5, "open"),
        (0.1, 0.3, None, 1.5, None),
        (0.1, 0.3, 2.7, None, None),
        (0.1, 0.3, 1.5, 1.5, None),
    ],
)
def test_agreement_with_the_papers_order(low, high, run, against, expected):
    assert agreement(low, high, run, against) == expected


def test_a_comparison_reads_as_first_minus_second():
    rows = cells(to_markdown(comparisons.table(made_up(), PAPER)))
    assert rows[0] == ["Runs", "Metric", "Difference", "Seeds in favour", "paper", "Agrees"]
    assert [row[0] for row in rows[1:4]] == ["MI_EPO − MO_ODPO"] * 3
    assert [row[1:] for row in rows[1:4]] == [
        ["HV ↑", "+2.000 [+1.875, +2.125] ± 0.062", "3 of 3", "2.70 > 1.54", "yes"],
        ["MIP ↑", "+0.250 [+0.125, +0.375] ± 0.062", "3 of 3", "1.01 > 0.82", "yes"],
        ["CRD ↓", "-0.083 [-0.208, +0.042] ± 0.062", "3 of 3", "0.29 < 0.62", "open"],
    ]
    sft = next(row for row in rows if row[0] == "MI_EPO − SFT (!)")
    assert sft[-2:] == ["–", "–"]
    latex = to_latex(comparisons.table(made_up(), PAPER))
    assert r"MI\_EPO $-$ MO\_ODPO & CRD $\downarrow$ & -0.083 [-0.208, +0.042] $\pm$ 0.062" in latex
    assert r"0.29 $<$ 0.62 & open \\" in latex


def test_seeds_in_favour_are_those_where_the_run_is_better_and_not_the_ties():
    metrics = made_up(mi_epo=4.0, mo_odpo=3.0)
    for seed, (ours, theirs) in enumerate([(0.1, 0.2), (0.2, 0.2), (0.3, 0.2)]):
        for key in ("hv", "crd"):
            metrics["runs"]["mi_epo"]["seeds"][str(seed)][key] = ours + (seed == 1) * (key == "hv")
            metrics["runs"]["mo_odpo"]["seeds"][str(seed)][key] = theirs
    frame = comparisons.frame(metrics, PAPER).set_index("metric")
    assert frame["seeds_in_favour"].to_dict() == {"hv": 2, "mip": 3, "crd": 1}


def test_the_comparisons_csv_holds_plain_numbers():
    row = comparisons.frame(made_up(), PAPER).set_index(["run", "against", "metric"])
    got = row.loc[("mi_epo", "mo_odpo", "hv")]
    assert (got["difference"], got["low"], got["high"], got["seed_std"]) == (
        2,
        1.875,
        2.125,
        0.0625,
    )
    assert (got["paper_run"], got["paper_against"], got["agrees"]) == (2.7, 1.54, "yes")


def test_one_run_has_no_comparisons_but_a_header():
    metrics = made_up(mi_epo=4.0)
    assert metrics["comparisons"] == []
    assert len(cells(to_markdown(comparisons.table(metrics, PAPER)))) == 1
    text = comparisons.frame(metrics, PAPER).to_csv(index=False)
    assert text.startswith("run,against,metric") and text.count("\n") == 1


def test_the_references_rank_the_runs():
    metrics = made_up(mo_odpo=3.0, mi_epo=4.0)
    rows = cells(to_markdown(references.table(metrics, PAPER)))
    assert rows[0] == ["Method", "above 0", "above -1", "above nadir - 10 %"]
    assert rows[1][1:3] == ["6.00 [5.88, 6.12] ± 0.06 (2)", "5.00 [4.88, 5.12] ± 0.06 (2)"]
    assert rows[2][3] == "6.00 [5.88, 6.12] ± 0.06 (1)"
    markdown = to_markdown(references.table(metrics, PAPER))
    assert "The order is the same under every reference: MI_EPO > MO_ODPO." in markdown
    assert "nadir - 10 %: (-1.25, -1.50)" in markdown
    frame = references.frame(metrics, PAPER).set_index(["run", "reference"])
    got = frame.loc[("mi_epo", "nadir - 10 %")]
    assert (got["hv"], got["low"], got["high"], got["rank"]) == (6.0, 5.875, 6.125, 1)
    assert (got["reference_helpfulness"], got["reference_harmlessness"]) == (-1.25, -1.5)


def test_an_order_that_depends_on_the_reference_is_told():
    metrics = made_up(mo_odpo=3.0, mi_epo=4.0, ric=1.0)
    metrics["runs"]["mo_odpo"]["hv_by_reference"]["0"]["mean"] = 9.0
    metrics["runs"]["ric"]["hv_by_reference"]["-1"]["mean"] = 5.0
    markdown = to_markdown(references.table(metrics, PAPER))
    assert "The order depends on the reference. 0: MO_ODPO > MI_EPO > RIC; " in markdown
    assert "-1: MI_EPO > MO_ODPO = RIC; nadir - 10 %: MI_EPO > MO_ODPO > RIC." in markdown
    frame = references.frame(metrics, PAPER).query("reference == '-1'").set_index("run")
    assert frame["rank"].to_dict() == {"mi_epo": 1, "mo_odpo": 2, "ric": 2}


@pytest.mark.parametrize(
    ("params", "stem"),
    [({"table": t, "name": n}, n) for t, n in (("references", "references"), ("summary", "sweep"))],
)
def test_the_script_writes_three_forms_and_the_metrics(tmp_path, params, stem):
    metrics = made_up()
    del metrics["by"]
    write_json(tmp_path / "metrics.json", metrics)
    out = tmp_path / "out"
    out.mkdir()
    write_tables.main(
        Job({"params": {**params, "paper": PAPER}}, {"metrics": tmp_path}, out, tmp_path)
    )
    assert {p.name for p in out.iterdir()} == {f"{stem}.{e}" for e in ("csv", "md", "tex", "json")}
    table = import_module(f"moa.reporting.tables.{params['table']}")
    view = made_up()
    assert (out / f"{stem}.md").read_text() == to_markdown(table.table(view, PAPER))
    assert json.loads((out / f"{stem}.json").read_text()) == metrics
    written = pd.read_csv(out / f"{stem}.csv")
    assert len(written) == len(table.frame(view, PAPER)) and set(written["by"]) == {"oracles"}


def test_a_number_that_rounds_to_zero_has_no_sign():
    value = {"mean": -1e-9, "low": -0.004, "high": 0.01, "seed_std": None}
    assert estimate(value) == "0.00 [0.00, 0.01]"
    assert estimate(value, form="+z.3f") == "+0.000 [-0.004, +0.010]"


@pytest.mark.parametrize("optimum", [0.0, -0.5])
def test_there_are_no_per_cents_of_an_optimum_that_is_not_above_0(optimum):
    metrics = made_up()
    metrics["optimum"] |= {"hv": optimum}
    frame = summary.frame(metrics, PAPER)
    assert frame["hv_percent_of_optimum"].isna().all()
    assert frame["mip_percent_of_optimum"].notna().all()
    rows = cells(to_markdown(summary.table(metrics, PAPER)))[1:]
    assert {row[2] for row in rows} == {"–"} and "50.0" in {row[5] for row in rows}
    assert r"& -- &" in to_latex(summary.table(metrics, PAPER))
