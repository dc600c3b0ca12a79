"""Files compared by their own scores: numbers known by hand, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from moa.reporting.figures import style
from moa.runtime.errors import JobError
from moa.tools.compare import results
from moa.tools.compare.results import compare
from moa.tools.compare.scale import read_scale
from support.browser import Watched, chromium
from support.explorer_blocks import read_json
from support.paths import SCRIPTS

OBJECTIVES = ["helpfulness", "harmlessness"]
VECTORS = [[1, 0], [0.5, 0.5], [0, 1]]
HELP, HARM = (
    [1, -1] * 4 + [0, 0],
    [1, 1, -1, -1] * 2 + [0, 0],
)  # independent, of mean 0, variance 8/9


def rows(
    reach: float, noise: float, name: str = "x", seed: int | None = None
) -> list[dict[str, Any]]:
    """Three w and ten prompts: points at reach * w, rewards around them."""
    return [
        {
            "prompt": f"question {i}",
            "w": w,
            "response": f"{name} answers {i} under {w}",
            "scores": {o: reach * w[k] + noise * dev[i] for k, (o, dev) in enumerate(deviations)},
        }
        | ({} if seed is None else {"seed": seed})
        for deviations in [list(zip(OBJECTIVES, (HELP, HARM), strict=True))]
        for w in VECTORS
        for i in range(10)
    ]


def write(path: Path, found: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    strong = write(folder / "strong.jsonl", rows(2, 1, "strong"))
    steady = pd.DataFrame(rows(1, 0.5, "steady")).sample(frac=1, random_state=0)
    for name in OBJECTIVES:
        steady[f"score_{name}"] = [scores[name] for scores in steady["scores"]]
    steady.drop(columns="scores").to_csv(folder / "steady.csv", index=False)
    return [strong, folder / "steady.csv"]


@pytest.fixture(scope="module")
def out(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both files compared, over what an earlier comparison left."""
    out = tmp_path_factory.mktemp("results") / "mine"
    (out / "figures").mkdir(parents=True)
    (out / "figures" / "front_3d.pdf").write_text("of three objectives")
    compare(files, OBJECTIVES, out)
    return out


def refused(tmp_path: Path, *found: list[dict[str, Any]], objectives: Any = OBJECTIVES) -> str:
    paths = [write(tmp_path / f"run{i}.jsonl", own) for i, own in enumerate(found)]
    with pytest.raises(JobError) as caught:
        compare(paths, objectives, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    return str(caught.value)


def test_the_metrics_are_those_known_by_hand(out: Path) -> None:
    runs = json.loads((out / "tables/summary.json").read_text())["runs"]
    # Above (-1, -1), (2, 0), (1, 1) and (0, 2) dominate 3 + 2 + 1.
    known = {"strong": (6, 5 / 3, (8 / 9) ** 2), "steady": (3.25, 5 / 6, (2 / 9) ** 2)}
    for name, numbers in known.items():
        run = runs[name]
        assert [run[key]["mean"] for key in ("hv", "mip", "crd")] == pytest.approx(numbers)
        assert run["kl"] is run["decodability"] is run["health"]["tokens"] is None
    np.testing.assert_allclose(runs["strong"]["points"], [[0, 2], [1, 1], [2, 0]])
    table = pd.read_csv(out / "tables/summary.csv").set_index("run")
    assert table["hv"].to_dict() == pytest.approx({"strong": 6, "steady": 3.25})
    assert table[["kl_nats", "response_tokens", "finished_share"]].isna().all(axis=None)
    pairs = pd.read_csv(out / "tables/comparisons.csv")
    assert pairs["difference"].tolist() == pytest.approx([2.75, 5 / 6, 60 / 81])


def test_everything_is_written_and_says_where_it_comes_from(out: Path) -> None:
    names = ("summary", "comparisons", "references")
    assert {path.name for path in (out / "tables").iterdir()} == {
        f"{name}.{ending}" for name in names for ending in ("md", "csv", "tex", "json")
    }
    drawn = {
        *("pareto_fronts", "metrics_by_run", "objective_best"),
        *("reward_distributions", "reward_overlap"),
    }
    assert {path.name for path in (out / "figures").iterdir()} == {
        f"{name}.{ending}" for name in drawn for ending in ("pdf", "png")
    }
    text = (out / "tables/summary.md").read_text()
    assert (
        "# compare / mine" in text and "Rewards are the scores of the files, as they are." in text
    )
    assert "| – | – / – | – | – / 100 |" in text and "normalised" not in text
    assert "paper" not in text and "SFT responses" not in text and "strong.jsonl (sha256 " in text
    about = read_json(explorer(out / "explorer.html"), "about")
    assert (about["config"], about["task"], about["of"]) == ("compare", "mine", 10)
    assert {run["name"] for run in about["runs"]} == {"strong", "steady"}
    assert len({run["colour"] for run in about["runs"]}) == 2


def explorer(path: Path) -> dict[str, str]:
    return dict(
        re.findall(
            r'<script type="application/octet-stream" id="([^"]+)">([^<]*)</script>',
            path.read_text(),
        )
    )


def test_a_scale_normalises_and_is_stated(files: list[Path], tmp_path: Path) -> None:
    own = {name: {"mean": 1, "std": 2} for name in OBJECTIVES}
    for name, said in {"scale": own, "stats": {"responses": 9, "objectives": own}}.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(said), encoding="utf-8-sig" if name == "stats" else "utf-8")
        assert (read_scale(path, OBJECTIVES).mean == 1).all()
    strong = compare(files, OBJECTIVES, tmp_path / "out", path)["runs"]["strong"]
    numbers = [strong[key]["mean"] for key in ("hv", "mip", "crd")]
    assert numbers == pytest.approx([1.5, 1 / 3, (8 / 9 / 4) ** 2])
    text = (tmp_path / "out/tables/summary.md").read_text()
    assert "deviation of stats.json (helpfulness 1 and 2; harmlessness 1 and 2)" in text
    assert "HV in normalised reward^2" in text


@pytest.mark.parametrize(
    "scale",
    [
        "{",
        "[]",
        {"helpfulness": {"mean": 0, "std": 1}},
        {name: {"mean": 0} for name in OBJECTIVES},
        {name: {"mean": 0, "std": 0} for name in OBJECTIVES},
        {name: {"mean": "0", "std": 1} for name in OBJECTIVES},
        {name: {"mean": True, "std": 1} for name in OBJECTIVES},
        {name: {"mean": 10**400, "std": 1} for name in OBJECTIVES},
        {name: {"mean": 0, "std": 1e-300} for name in OBJECTIVES},
        {"objectives": []},
        "[" * 100_000,
    ],
)
def test_a_scale_that_is_none_is_refused(files: list[Path], tmp_path: Path, scale: Any) -> None:
    path = tmp_path / "scale.json"
    path.write_text(scale if isinstance(scale, str) else json.dumps(scale))
    with pytest.raises(JobError, match=r"scale\.json .*it needs \{\"<objective>\": \{\"mean\""):
        compare(files, OBJECTIVES, tmp_path / "out", path)


def test_several_seeds_have_a_spread(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / f"{name}.jsonl", [*rows(2, 1, seed=4), *rows(reach, 1, seed=2)])
        for name, reach in (("a", 2.0), ("b", 3.0))
    ]
    runs = compare(paths, OBJECTIVES, tmp_path / "out")["runs"]
    assert list(runs["b"]["seeds"]) == ["2", "4"]
    assert runs["a"]["hv"]["seed_std"] == 0 and runs["b"]["mip"]["seed_std"] > 0


def test_three_objectives_have_a_third_dimension(tmp_path: Path) -> None:
    three = [
        {
            "prompt": f"p{i}",
            "w": w,
            "response": "y",
            "scores": {"a": w[0], "b": w[1] + i, "c": w[2] - i % 2},
        }
        for w in ([1, 0, 0], [0, 1, 0], [0, 0, 1], [0.33, 0.33, 0.33])
        for i in range(4)
    ]
    compare([write(tmp_path / "run.jsonl", three)], ["a", "b", "c"], tmp_path / "out")
    assert (tmp_path / "out/figures/front_3d.pdf").exists()


def test_scores_far_below_the_reference_are_spoken_of(tmp_path: Path) -> None:
    low = [{**row, "scores": {o: s - 50 for o, s in row["scores"].items()}} for row in rows(2, 1)]
    compare([write(tmp_path / "low.jsonl", low)], OBJECTIVES, tmp_path / "out")
    assert (
        "No point is above -1 in all objectives" in (tmp_path / "out/tables/summary.md").read_text()
    )


def test_files_of_other_prompts_or_vectors_are_refused_with_rows(tmp_path: Path) -> None:
    whole, first = rows(2, 1), tmp_path / "run0.jsonl"
    other = [{**row, "prompt": "another"} if i == 4 else row for i, row in enumerate(whole)]
    assert f"run1.jsonl, row 5: the prompt 'another' is none of {first}" in refused(
        tmp_path, whole, other
    )
    other = [{**row, "w": [0.4, 0.6]} if i == 4 else row for i, row in enumerate(whole)]
    assert f"row 5: w is [0.4, 0.6], which is none of {first}" in refused(tmp_path, whole, other)
    told = refused(tmp_path, whole, whole[1:])
    assert "run1.jsonl: 1 of 30 responses of seed 0 are missing, the prompt 'question 0'" in told
    assert "run0.jsonl: 1 of 30 responses" in refused(tmp_path, whole[1:], whole)
    assert "row 31: the same prompt, w and seed as in row 1" in refused(
        tmp_path, [*whole, whole[0]]
    )
    told = refused(tmp_path, rows(2, 1, seed=0), rows(2, 1, seed=1))
    assert f"run1.jsonl, rows 1, 2, 3, 4 and 26 more: seed 1 is none of {first}" in told
    both = [*rows(2, 1, seed=0), *rows(2, 1, seed=1)]
    assert "run1.jsonl has no row of seed 1" in refused(tmp_path, both, rows(2, 1, seed=0))


def test_what_is_too_little_for_metrics_is_refused(tmp_path: Path) -> None:
    assert "row 1: no `scores`" in refused(tmp_path, [{**rows(2, 1)[0], "scores": None}])
    assert "has one w alone" in refused(tmp_path, rows(2, 1)[:10])
    few = [row for row in rows(2, 1) if row["prompt"] in ("question 0", "question 1")]
    assert "has 2 prompts: the CRD of 2 objectives needs 3 or more" in refused(tmp_path, few)
    assert "1 objective: a trade-off" in refused(tmp_path, rows(2, 1), objectives=["helpfulness"])
    assert "two objectives are called a" in refused(tmp_path, rows(2, 1), objectives=["a", "a"])


def test_objectives_in_another_order_than_w_are_doubted(files: list[Path], tmp_path: Path) -> None:
    told = results.doubts(compare(files[:1], OBJECTIVES[::-1], tmp_path / "out"))
    assert told == [
        "strong: the mean score falls as its weight grows (harmlessness, helpfulness): is OBJECTIVES "
        "in the order of w?"
    ]
    assert not results.doubts(compare(files[:1], OBJECTIVES, tmp_path / "out"))


def test_runs_have_names_of_their_own(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    again = write(tmp_path / "more" / "strong.jsonl", rows(1, 1))
    with pytest.raises(JobError, match="two files are called strong"):
        compare([*files, again], OBJECTIVES, tmp_path / "out")
    odd = write(tmp_path / "a|b.jsonl", rows(1, 1))
    with pytest.raises(JobError, match="rename it with letters"):
        compare([odd], OBJECTIVES, tmp_path / "out")


def test_nothing_is_written_through_the_links_of_a_config(
    files: list[Path], tmp_path: Path
) -> None:
    entry, tables = tmp_path / "store" / "summary.md", tmp_path / "synthetic" / "tables"
    entry.parent.mkdir()
    entry.write_text("published")
    tables.mkdir(parents=True)
    (tables / "summary.md").symlink_to(entry)
    with pytest.raises(JobError, match="shows results of the workflow: name another folder"):
        compare(files, OBJECTIVES, tables.parent)
    assert entry.read_text() == "published"


def test_nothing_is_written_into_the_store_or_through_a_link(
    files: list[Path], tmp_path: Path
) -> None:
    entry, link = tmp_path / "store/explorer/one", tmp_path / "policies/mine"
    (entry / "page").mkdir(parents=True)
    for name in ("spec.json", "manifest.json"):
        (entry / name).write_text("{}")
    link.parent.mkdir()
    link.symlink_to(entry)
    for out in (
        *(entry, entry / "page", entry / "new/er", entry.parent, entry.parents[1]),
        *(entry.parent / "mine", link, link / "mine", link.parent / "mine"),
    ):
        with pytest.raises(
            JobError, match=f"^{out} lies in the workflow's store, by .*: name another"
        ):
            compare(files, OBJECTIVES, out)
    (tmp_path / "own").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "own")
    with pytest.raises(JobError, match=f"is a link: name the folder .* {tmp_path / 'own'}$"):
        compare(files, OBJECTIVES, tmp_path / "link")
    assert {path.name for path in entry.iterdir()} == {"page", "spec.json", "manifest.json"}


def test_a_folder_that_cannot_be_written_is_refused(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file/mine", Path("/proc/mine")):
        with pytest.raises(
            JobError, match=rf"^{out} cannot be written \(.*\): name another folder"
        ):
            compare(files, OBJECTIVES, out)
    (tmp_path / "out/tables/summary.md").mkdir(parents=True)
    with pytest.raises(JobError, match=r"summary\.md is a folder, where a file is to be written"):
        compare(files, OBJECTIVES, tmp_path / "out")
    assert contents(tmp_path / "out") == {}


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_comparison_that_fails_leaves_the_earlier_one(
    out: Path, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(out, tmp_path / "out")
    (tmp_path / "out/figures/of_mine.txt").write_text("mine")
    before = contents(tmp_path / "out")
    with monkeypatch.context() as broken, pytest.raises(ZeroDivisionError):
        broken.setattr(results, "page", lambda _: 1 / 0)
        compare(files[:1], OBJECTIVES, tmp_path / "out")
    assert contents(tmp_path / "out") == before and len(list(tmp_path.iterdir())) == 1
    compare(files[:1], OBJECTIVES, tmp_path / "out")
    after = contents(tmp_path / "out")
    assert after.keys() == before.keys()
    same = {path.name for path in after if after[path] == before[path]}
    assert same == {"of_mine.txt"}


def test_scores_too_large_for_metrics_are_refused_with_their_file(tmp_path: Path) -> None:
    whole = rows(2, 1)
    large = [{**row, "scores": dict.fromkeys(OBJECTIVES, 1e160)} for row in whole[3:4]]
    assert "run1.jsonl, row 4: the score of helpfulness is 1e+160" in refused(
        tmp_path, whole, [*whole[:3], *large, *whole[4:]]
    )
    scale = tmp_path / "scale.json"
    scale.write_text(json.dumps({name: {"mean": 0, "std": 1e-30} for name in OBJECTIVES}))
    with pytest.raises(
        JobError, match=r"run0\.jsonl, rows .*the score of helpfulness is beyond 1e\+30"
    ):
        compare([tmp_path / "run0.jsonl"], OBJECTIVES, tmp_path / "out", scale)
    many = [f"o{k}" for k in range(6)]
    rng = np.random.default_rng(0)
    wide = [
        {"prompt": f"p{i}", "w": w, "response": "y"}
        | {"scores": dict(zip(many, rng.uniform(-1e30, 1e30, 6), strict=True))}
        for w in np.eye(6).tolist()
        for i in range(9)
    ]
    told = refused(tmp_path, wide, objectives=many)
    assert "run0.jsonl: its scores are so large" in told


def test_the_program_says_the_numbers_and_loads_no_model(files: list[Path], tmp_path: Path) -> None:
    code = (
        "import sys, compare_responses; compare_responses.main()\n"
        "heavy = {'torch', 'transformers', 'datasets', 'snakemake'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    command = [sys.executable, "-c", code, *map(str, files), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--objectives", *OBJECTIVES],
        cwd=SCRIPTS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "strong  6.00 [" in done.stdout and "explorer.html" in done.stdout
    done = subprocess.run(
        [*command, "--objectives", "a"], cwd=SCRIPTS, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.startswith("1 objective") and not done.stdout


def test_the_explorer_opens_and_says_what_is_not_known(out: Path) -> None:
    path = out / "explorer.html"
    with chromium() as browser:
        watched = Watched(browser)
        page = watched.open(path, "#w=1,0&prompt=3")
        text = page.inner_text("body")
        assert "strong answers 3 under [1, 0]" in text and "steady answers 3 under [1, 0]" in text
        assert "length not known" in text and "finished" not in page.inner_text("#responses")
        assert "(compare)" in page.inner_text("h1") and not watched.complaints
        assert {url.split("#")[0] for url in watched.requests} <= {path.as_uri()}


def test_every_marker_of_the_figures_has_an_outline_in_the_explorer() -> None:
    source = (SCRIPTS / "moa/reporting/explorer/page/runs.js").read_text()
    known = source.split("const OUTLINES = {")[1].split("};")[0]
    for look in (*style.METHODS.values(), *style.OTHERS):
        assert not look.marker or f'{look.marker}: "' in known.replace(
            '"' + look.marker + '"', look.marker
        )
