"""The paper's claims over seeds: Holm's correction, three words, and a table worked out by hand."""

from dataclasses import asdict

import pytest

from moa.evaluation.seed_tests import paired
from moa.reporting.tables import verdict as table
from moa.reporting.tables.common import to_markdown
from moa.reporting.tables.verdict import holm, verdict
from support.made_up_figures import SIMILAR

PAPER = {
    "mi_epo": {"hv": 2.7, "mip": 1.01, "crd": 0.29},
    "mo_odpo": {"hv": 1.54, "mip": 0.82, "crd": 0.62},
}
SEEDS = {  # CRD falls, as in the paper; HV falls, and there it rises; MIP goes both ways
    "mi_epo": {"hv": [3.0, 3.1, 3.2], "mip": [0.9, 1.1, 1.0], "crd": [0.20, 0.21, 0.19]},
    "mo_odpo": {"hv": [4.0, 4.1, 4.21], "mip": [1.0, 1.0, 1.0], "crd": [0.30, 0.31, 0.30]},
}


def metrics():
    """As compute_metrics leaves them, as far as the table reads."""
    runs = {
        name: {
            "method": name,
            "label": name.upper(),
            "hv": {},
            "warnings": [],
            "betas": {},
            "nats_per_token": None,
            "seeds": {str(s): {key: values[s] for key, values in of.items()} for s in range(3)},
        }
        for name, of in SEEDS.items()
    }
    pair = {
        key: {"over_seeds": asdict(paired(SEEDS["mi_epo"][key], SEEDS["mo_odpo"][key]))}
        for key in ("hv", "mip", "crd")
    }
    return {
        **{
            "by": "oracles",
            "matched_kl": None,
            "config": "c",
            "task": "t",
            "objectives": ["a", "b"],
            "vectors": [[1, 0], [0, 1]],
            "normalisation": {"of": "the offline responses"},
        },
        **{"prompts": 40, "reference": [-1, -1], "similarity": SIMILAR, "oracle_reports": {}},
        "runs": runs,
        "comparisons": [{"run": "mi_epo", "against": "mo_odpo", **pair}],
    }


def test_a_claim_is_judged_on_the_papers_side():
    found = table.frame(metrics(), PAPER).set_index("metric")
    assert found["verdict"].to_dict() == {"hv": "reversed", "mip": "open", "crd": "held"}
    assert found["seeds_in_favour"].to_dict() == {"hv": 0, "mip": 1, "crd": 3}
    # Lower is what the paper has of CRD: each of three seeds lies below each of the other's.
    assert found["probability_of_improvement"].to_dict() == {"hv": 0, "mip": 0.5, "crd": 1}
    assert (found["p_corrected"] >= found["p"]).all() and found.loc["hv", "difference"] < 0


def test_the_page_says_which_way_the_paper_goes():
    page = to_markdown(table.table(metrics(), PAPER))
    assert "| MI_EPO above MO_ODPO | HV ↑ | 1.54 → 2.70 | -1.003 [" in page
    assert "| MI_EPO below MO_ODPO | CRD ↓ | 0.62 → 0.29 |" in page
    assert "3 claims: 1 held, 1 reversed, 1 open." in page


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == [pytest.approx(v) for v in (0.03, 0.06, 0.06)]
    assert holm([0.9, None, 0.6]) == [1.0, None, 1.0] and holm([]) == []


@pytest.mark.parametrize(
    ("mean", "p", "expected", "word"),
    [
        (0.1, 0.01, 1.0, "held"),
        (-0.1, 0.01, -0.3, "held"),
        (0.1, 0.01, -0.3, "reversed"),
        (-0.1, 0.01, 1.0, "reversed"),
        (0.1, 0.05, 1.0, "open"),
        (0.1, None, 1.0, "open"),
    ],
)
def test_three_words(mean, p, expected, word):
    assert verdict(mean, p, expected) == word
