"""What a file, those below it and the command line say, put together."""

import pytest
import yaml
from snakemake.cli import parse_config

from moa.runtime.errors import ConfigError
from moa.workflow.config import resolve
from moa.workflow.inherit import merge, read_config, typed
from support.checkouts import copy_repo, snakemake
from support.paths import CONFIG

THREE = (CONFIG / "synthetic.yaml").read_text()


def extended(tmp_path, text):
    (tmp_path / "base.yaml").write_text(THREE)
    (tmp_path / "mine.yaml").write_text(f"extends: base.yaml\nname: mine\n{text}")
    return read_config(tmp_path / "mine.yaml")


def test_an_inherited_oracle_that_is_null_is_left_out(tmp_path):
    two = "objectives: [helpfulness, harmlessness], paper: assistant2"
    config = extended(tmp_path, f"tasks: {{assistant3: {{{two}, oracles: {{humor: null}}}}}}\n")
    assert list(resolve(config).tasks["assistant3"].oracles) == ["helpfulness", "harmlessness"]
    with pytest.raises(ConfigError, match=r"oracles.humor: no such objective.*write null if it is"):
        resolve(extended(tmp_path, f"tasks: {{assistant3: {{{two}}}}}\n"))
    with pytest.raises(ConfigError, match=r"oracles.wit is null, but base.yaml has no such oracle"):
        extended(tmp_path, "tasks: {assistant3: {oracles: {wit: null}}}\n")


def test_inherited_judges_are_left_out_one_by_one_or_all_together(tmp_path):
    judged = "tasks: {safety: {judges: {helpfulness: {kind: synthetic_proxy}, harmlessness: "
    (tmp_path / "judged.yaml").write_text(
        f"extends: base.yaml\nname: judged\n{judged}{{kind: synthetic_proxy}}}}}}}}\n"
    )

    def mine(judges):
        (tmp_path / "base.yaml").write_text(THREE)
        (tmp_path / "mine.yaml").write_text(
            f"extends: judged.yaml\nname: mine\ntasks: {{safety: {{judges: {judges}}}}}\n"
        )
        return read_config(tmp_path / "mine.yaml")

    assert resolve(mine("null")).tasks["safety"].judges == {}
    assert list(mine("{helpfulness: null}")["tasks"]["safety"]["judges"]) == ["harmlessness"]
    with pytest.raises(ConfigError, match=r"judges.wit is null, but base.yaml has no such judge"):
        extended(tmp_path, "tasks: {safety: {judges: {wit: null}}}\n")


def test_a_key_that_stands_twice_below_is_an_error(tmp_path):
    (tmp_path / "twice.yaml").write_text("name: twice\nseeds: [0]\nseeds: [1]\n")
    (tmp_path / "mine.yaml").write_text("extends: twice.yaml\nname: mine\n")
    with pytest.raises(
        ConfigError, match=r"twice.yaml: the key 'seeds' stands in line 2 and again"
    ):
        read_config(tmp_path / "mine.yaml")


def test_the_command_line_means_what_a_file_means_by_it():
    """Snakemake's own reading of `--config` leaves as text what stands in brackets."""
    lines = [
        "seeds=[1,2]",
        "online={epochs: 2, learning_rate: 1.0e-3, stop_gradient: false, ties: skip}",
        "tasks={safety: {beta_w_sweep: [0, 0.5], paper: null}, assistant3: null}",
        'operation={report_to: ["{x}", "[", ""]}',
        "name=mine",
    ]
    texts = parse_config(lines)
    assert texts["online"]["epochs"] == "2"
    meant = yaml.safe_load("\n".join(line.replace("=", ": ", 1) for line in lines[:3]))
    found = typed(texts)
    assert {key: found[key] for key in meant} == meant and found["name"] == "mine"
    assert found["operation"]["report_to"][:2] == ["{x}", "["]
    assert merge(yaml.safe_load(THREE), found)["online"]["epochs"] == 2


@pytest.mark.workflow
def test_snakemake_reads_as_we_do(tmp_path):
    copy_repo(tmp_path)
    named = tmp_path / "it's my tiny.yaml"
    (tmp_path / "tiny.yaml").rename(named)
    nested = ["--config", "online={epochs: 2}", "seeds=[1]"]
    jobs, said = snakemake(tmp_path, "--dry-run", *nested, config=named.name)
    assert jobs["train_online"] == 2 and "-s1-" in said and "-s0-" not in said
    with named.open("a") as file:
        file.write("online: {epochs: 3}\n")
    _, said = snakemake(tmp_path, "--dry-run", config=named.name, check=False)
    assert "the key 'online' stands in line 10 and again in line" in said
    assert "Traceback" not in said
