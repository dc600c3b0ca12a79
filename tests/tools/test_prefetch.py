"""Fetching from a hub on localhost with its real client, and reading what was fetched without it."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants

from moa.datasets import load_hh_rlhf, load_pku_saferlhf
from moa.runtime.errors import JobError
from moa.runtime.hub_cache import snapshot
from moa.runtime.hub_lock import LOCK, read_lock
from moa.tools.prefetch import needed_files, write_lock
from moa.tools.rehearsal import make
from moa.workflow.config import CONFIG_FOLDER, resolve
from moa.workflow.inherit import read_config
from moa.workflow.plan import Plan
from support.checkouts import copy_repo, planned, snakemake
from support.hub_server import HubServer, git_blob, sha256
from support.paths import REPO

SCRIPT = REPO / "workflow_scripts" / "prefetch_hub.py"
MODEL, DATASET = "model:lab/reward@main", "dataset:lab/hh@main"
WEIGHTS = {"config.json": b'{"a": 1}', "model.safetensors": b"weights" * 99}


def transcripts(*answers):
    asked = "\n\nHuman: {}?\n\nAssistant: {}".format
    rows = [{"chosen": asked(a, a), "rejected": asked(a, "-")} for a in answers]
    return gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), mtime=0)


# HH-RLHF's layout: four folders of pairs, and one of something else that names no split.
PAIRS = {
    "README.md": b"---\nlicense: mit\n---\n# Pairs\n",
    "harmless-base/train.jsonl.gz": transcripts("a", "b"),
    "harmless-base/test.jsonl.gz": transcripts("c"),
    "helpful-base/train.jsonl.gz": transcripts("d"),
    "red-team-attempts/red_team_attempts.jsonl.gz": gzip.compress(b'[{"x": 1}]', mtime=0),
}


@pytest.fixture
def hub():
    server = HubServer()
    yield server
    server.stop()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A cache and a lock, which `snapshot` uses in place of the repository's."""
    monkeypatch.setattr("moa.runtime.hub_cache.LOCK", tmp_path / "revisions.lock.yaml")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path


def prefetch(hub, place, *repositories, check=True):
    """Run the script as the rule does; returns what it said."""
    command = [sys.executable, str(SCRIPT), "--cache", str(place / "cache")]
    command += ["--lock", str(place / "revisions.lock.yaml"), *repositories]
    done = subprocess.run(
        command,
        env={**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_TOKEN": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout, done.stdout
    assert (done.returncode == 0) is check, done.stdout
    return done.stdout


def locked(place):
    return read_lock(place / "revisions.lock.yaml")


def fetched(hub):
    return [
        path.split("/", 5)[-1]
        for verb, path in hub.requests
        if verb == "GET" and "/resolve/" in path
    ]


def test_what_is_fetched_is_locked_and_read_without_the_hub(hub, place):
    model = hub.commit("model", "lab/reward", {**WEIGHTS, "pytorch_model.bin": b"the same"})
    data = hub.commit("dataset", "lab/hh", PAIRS)
    said = prefetch(hub, place, MODEL, DATASET)
    size = sum(map(len, [*WEIGHTS.values(), *PAIRS.values()]))
    assert f"2 repositories, 7 files, {size / 1e6:.2f} MB" in said
    assert locked(place) == {
        "model": {
            "lab/reward": {
                "main": {
                    "commit": model,
                    "files": {
                        "config.json": {"size": 8, "git_blob": git_blob(WEIGHTS["config.json"])},
                        "model.safetensors": {
                            "size": 693,
                            "sha256": sha256(WEIGHTS["model.safetensors"]),
                        },
                    },
                }
            }
        },
        "dataset": {"lab/hh": {"main": locked(place)["dataset"]["lab/hh"]["main"]}},
    }
    assert set(locked(place)["dataset"]["lab/hh"]["main"]["files"]) == set(PAIRS)
    hub.stop()
    folder = snapshot("lab/reward", "main", model, "model")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == WEIGHTS
    rows = load_hh_rlhf("lab/hh", commit=data)
    assert [row["chosen"] for row in rows] == ["a", "b", "d"]
    assert [row["chosen"] for row in load_hh_rlhf("lab/hh", split="test", commit=data)] == ["c"]
    with pytest.raises(JobError, match=r"lab/hh, split 'dev'.*train.*test"):
        load_hh_rlhf("lab/hh", split="dev", commit=data)


def test_a_locked_revision_stays_when_the_hub_moves_on_and_other_entries_are_kept(hub, place):
    first = hub.commit("model", "lab/reward", WEIGHTS)
    prefetch(hub, place, MODEL)
    before = locked(place)["model"]
    second = hub.commit("model", "lab/reward", {**WEIGHTS, "config.json": b'{"a": 2}'})
    hub.commit("dataset", "lab/hh", PAIRS)
    prefetch(hub, place, DATASET)  # another config's
    prefetch(hub, place, MODEL)
    assert locked(place)["model"] == before
    assert "lab/hh" in locked(place)["dataset"]
    assert (
        snapshot("lab/reward", "main", first, "model") / "config.json"
    ).read_bytes() == b'{"a": 1}'
    # Deleting the entry takes what the hub has now.
    lock = locked(place)
    del lock["model"]["lab/reward"]
    write_lock(lock, place / "revisions.lock.yaml")
    prefetch(hub, place, MODEL)
    assert locked(place)["model"]["lab/reward"]["main"]["commit"] == second


def test_another_machine_fetches_the_locked_commit(hub, place):
    first = hub.commit("model", "lab/reward", WEIGHTS)
    prefetch(hub, place, MODEL)
    hub.commit("model", "lab/reward", {"config.json": b"{}"})
    (place / "cache").rename(place / "cache of another machine")
    prefetch(hub, place, MODEL)
    assert (snapshot("lab/reward", "main", first, "model") / "model.safetensors").exists()


def test_a_missing_or_damaged_file_is_fetched_again_and_no_other(hub, place):
    commit = hub.commit("model", "lab/reward", {**WEIGHTS, "tokenizer.json": b"{}"})
    prefetch(hub, place, MODEL)
    hub.requests.clear()
    assert "fetching" not in prefetch(hub, place, MODEL) and hub.requests == []
    folder = snapshot("lab/reward", "main", commit, "model")
    (folder / "tokenizer.json").unlink()
    (folder / "model.safetensors").resolve().write_bytes(b"Weights" * 99)  # of the same size
    assert "fetching 2 files" in prefetch(hub, place, MODEL)
    assert sorted(fetched(hub)) == ["model.safetensors"]  # the other's content was still there
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS["model.safetensors"]
    assert (folder / "tokenizer.json").read_bytes() == b"{}"


def test_content_that_is_not_the_locked_one_is_refused(hub, place):
    commit = hub.commit("model", "lab/reward", WEIGHTS)
    prefetch(hub, place, MODEL)
    (snapshot("lab/reward", "main", commit, "model") / "config.json").resolve().unlink()
    hub.commits["models", "lab/reward", commit] = commit, {**WEIGHTS, "config.json": b'{"a": 9}'}
    said = prefetch(hub, place, MODEL, check=False)
    assert "lab/reward@main: config.json did not come as" in said


def test_a_job_says_what_to_run_if_something_was_not_fetched(hub, place):
    target = r": on a machine with internet run `make prefetch` \(same CONFIG\), or `snakemake --profile "
    with pytest.raises(
        JobError, match="^lab/reward has no pinned commit for revision 'main'.*" + target
    ):
        snapshot("lab/reward", "main", None, "model")
    with pytest.raises(JobError, match="^lab/reward at commit 0{40} is not in .*" + target):
        snapshot("lab/reward", "0" * 40, "0" * 40, "model")
    commit = hub.commit("model", "lab/reward", WEIGHTS)
    prefetch(hub, place, MODEL)
    file = snapshot("lab/reward", "main", commit, "model") / "model.safetensors"
    file.resolve().write_bytes(b"half")
    with pytest.raises(JobError, match="safetensors has 4 bytes, but 693 are locked" + target):
        snapshot("lab/reward", "main", commit, "model")
    file.unlink()
    with pytest.raises(JobError, match="^lab/reward: .*model.safetensors is missing" + target):
        snapshot("lab/reward", "main", commit, "model")
    (place / "cache").rename(place / "elsewhere")
    with pytest.raises(JobError, match="^lab/reward at commit .* is not in the cache .*" + target):
        snapshot("lab/reward", "main", commit, "model")


def test_a_path_where_nothing_is_is_named(tmp_path):
    for missing in (f"{tmp_path}/model", "not/there/yet"):
        with pytest.raises(JobError, match=f"^{missing} is a path, and nothing is there: make or"):
            snapshot(missing, "main", None, "model")


def test_what_the_hub_does_not_give_is_named_all_at_once_and_nothing_is_fetched(hub, place):
    hub.commit("model", "lab/reward", WEIGHTS)
    wrong = ["model:lab/rewad@main", "model:lab/reward@v2", "dataset:data/some/folder@main"]
    said = prefetch(hub, place, *wrong, MODEL, check=False)
    assert f"model lab/rewad@main: there is no {hub.url}/lab/rewad, or it is private" in said
    assert f"model lab/reward@v2: {hub.url}/lab/reward has no revision v2" in said
    assert "dataset data/some/folder@main: this is neither a folder nor the name of" in said
    assert fetched(hub) == [] and not (place / "revisions.lock.yaml").exists()
    hub.gated.add("lab/reward")
    said = prefetch(hub, place, MODEL, check=False)
    assert f"accept its terms at {hub.url}/lab/reward, and log in with `hf auth login`" in said
    hub.stop()
    said = prefetch(hub, place, DATASET, check=False)
    assert "dataset lab/hh@main: cannot be fetched ([Errno 111] Connection refused). Run" in said


def test_local_paths_are_left_as_they_are(tmp_path):
    assert snapshot(str(tmp_path), "main", None, "model") == tmp_path
    assert snapshot(str(tmp_path), "main", None, "dataset") == tmp_path
    rows = tmp_path / "train.jsonl"
    rows.write_text(
        json.dumps(
            {
                "prompt": "How?",
                "response_0": "So.",
                "response_1": "No.",
                "better_response_id": 0,
                "safer_response_id": 1,
            }
        )
    )
    assert load_pku_saferlhf(rows)["chosen"] == load_pku_saferlhf(tmp_path)["chosen"] == ["So."]


def test_weights_are_taken_in_one_format():
    assert needed_files(
        [
            *("README.md", "config.json", "tokenizer.model", "modeling_score.py"),
            *("model-00001-of-00002.safetensors", "pytorch_model-00001-of-00002.bin"),
            *("tf_model.h5", "flax_model.msgpack", "onnx/model.onnx", "onnx/config.json"),
            *("reward-q4.gguf", "old/pytorch_model.bin", "original/consolidated.00.pth"),
        ]
    ) == [
        *("README.md", "config.json", "tokenizer.model", "modeling_score.py"),
        *("model-00001-of-00002.safetensors", "old/pytorch_model.bin"),
    ]


def test_the_lock_is_sorted_readable_and_shipped_as_it_is_written(tmp_path):
    files = {"b.json": {"size": 1, "git_blob": "0"}, "a.json": {"size": 2, "sha256": "f" * 64}}
    lock = {
        "model": {
            "z/z": {"main": {"commit": "2" * 40, "files": {"c": {"size": 3, "git_blob": "1"}}}},
            "a/a": {"1.0": {"commit": "1" * 40, "files": files}},
        },
        "dataset": {},
    }
    write_lock(lock, tmp_path / "lock.yaml")
    assert read_lock(tmp_path / "lock.yaml") == lock
    lines = (tmp_path / "lock.yaml").read_text().split("dataset: {}\n")[1].splitlines()
    assert lines[:6] == [
        "model:",
        "  a/a:",
        "    '1.0':",
        f"      commit: '{'1' * 40}'",
        "      files:",
        f"        a.json: {{sha256: {'f' * 64}, size: 2}}",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["lock.yaml"]
    write_lock(read_lock(LOCK), tmp_path / "shipped.yaml")
    assert (tmp_path / "shipped.yaml").read_text() == LOCK.read_text()


CONFIG = """
name: fetched
seeds: [0]
policy: {base: {kind: scratch_llama}}
tasks:
  safety:
    objectives: [helpfulness, harmlessness]
    data: {kind: hh_rlhf, source: lab/hh, n_train: 1, n_test: 3}
    oracles:
      helpfulness: &own {kind: python_callable, callable: "my_rewards:brevity", version: "1"}
      harmlessness: *own
runs: [{name: sft, method: sft}]
"""


@pytest.mark.workflow
def test_the_rule_fetches_and_the_jobs_do_without_the_hub(hub, tmp_path):
    copy_repo(tmp_path)
    (tmp_path / "fetched.yaml").write_text(CONFIG)
    hub.commit("dataset", "lab/hh", {"train.jsonl.gz": transcripts(*"abcd")})
    env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": "", "HF_HUB_OFFLINE": "1"}

    def run(*command, check=True):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env={**env, "PYTHONPATH": "workflow_scripts"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) is check, done.stdout
        return done.stdout

    def data_target():
        code = (
            "import yaml; from moa.workflow.config import resolve; from moa.workflow.plan import Plan\n"
            "plan = Plan(resolve(yaml.safe_load(open('fetched.yaml'))))\n"
            "print(next(rel for rel in plan.entries if rel.startswith('data/')))"
        )
        return f"results/store/{run('-c', code).strip()}/manifest.json"

    snakemake = ["-m", "snakemake", "--profile", "profiles/local", "--cores", "1"]
    snakemake += ["--configfile", "fetched.yaml", "--"]
    unpinned = data_target()
    said = run(*snakemake, unpinned, check=False)
    assert "lab/hh has no pinned commit for revision 'main'" in said and hub.requests == []
    assert "Traceback" not in said
    said = run(*snakemake, "prefetch")
    assert "1 repositories, 1 files" in said and "localrule prefetch" in said
    hub.stop()
    pinned = data_target()
    assert pinned != unpinned
    run(*snakemake, pinned)
    spec = json.loads((tmp_path / pinned).with_name("spec.json").read_text())
    lock = yaml.safe_load((tmp_path / "config/revisions.lock.yaml").read_text())
    assert spec["params"]["data"]["commit"] == lock["dataset"]["lab/hh"]["main"]["commit"]


@pytest.mark.workflow
def test_make_prefetch_has_all_that_one_gpu_takes_from_the_hub(hub, tmp_path):
    """The config as it is, and a hub that has tiny models under the names it asks for."""
    copy_repo(tmp_path)
    make(tmp_path / "made")
    wanted = Plan(resolve(read_config(CONFIG_FOLDER / "one_gpu.yaml"))).repositories
    for repository in wanted:
        folder = tmp_path / "made" / repository.id.split("/")[1]
        files = [path for path in folder.rglob("*") if path.is_file()]
        content = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
        hub.commit(repository.type, repository.id, content)
    command = ["make", "--file", str(REPO / "Makefile"), "--old-file", "setup", "prefetch"]
    command += ["CONFIG=config/one_gpu.yaml", f"BIN={Path(sys.executable).parent}"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    hub.stop()
    lock = read_lock(tmp_path / "config" / "revisions.lock.yaml")
    assert {(kind, name) for kind in lock for name in lock[kind]} == {
        (repository.type, repository.id) for repository in wanted
    }
    (base,) = [a for a in planned(tmp_path, "config/one_gpu.yaml") if a[0] == "base"]
    target = "results/store/{}/{}-{}/manifest.json".format(*base)
    assert snakemake(tmp_path, "--", target, config="config/one_gpu.yaml")[0] == {"build_base": 1}
    built = json.loads((tmp_path / target).with_name("config.json").read_text())
    assert built["model_type"] == "qwen2" and built["pad_token_id"] != built["eos_token_id"]
