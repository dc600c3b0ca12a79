"""Garbage is what no config that counts refers to, and nothing else is ever deleted."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from collect_garbage import remove
from moa.runtime.files import write_json
from moa.runtime.publishing import is_published, work_folder
from moa.tools.garbage import delete, survey, whole_configs
from moa.workflow.origins import Origin, record
from moa.workflow.views import show_views
from support.checkouts import edited
from support.paths import REPO
from support.tiny_store import begin, locked, publish, tiny_config, tiny_plan

DAY = 86400


@pytest.fixture
def plan(store):
    """A plan with all its entries published."""
    plan = tiny_plan(store)
    publish(store, plan.entries.values())
    return plan


def looked_at(plan, later=0.0, others=()):
    """label -> folder, as a survey for this plan (and others) sees the plan's store."""
    stores = {}
    for given in (plan, *others):
        stores[Path(given.config.store)] = given.entries.values()
    folders = survey(stores, time.time() + later)[Path(plan.config.store)]
    return {folder.label: folder for folder in folders}


def garbage(plan, later=0.0, others=()):
    """label -> why it is garbage."""
    return {k: f.garbage for k, f in looked_at(plan, later, others).items() if f.garbage}


def one(plan, stage):
    return next(a for a in plan.entries.values() if a.stage == stage)


def test_what_a_given_config_refers_to_is_kept(plan):
    found = looked_at(plan)
    assert set(found) == set(plan.entries)
    assert {f.kept for f in found.values()} == {"in a config that counts"}
    assert all(f.size > 0 and not f.garbage for f in found.values())


def test_what_only_another_seed_made_is_garbage_and_what_both_share_is_not(plan, store):
    other = tiny_plan(store, seeds=[1])
    found = garbage(other)
    assert set(found) == set(plan.entries) - set(other.entries)
    assert not {"data", "base", "oracle_stats"} & {label.split("/")[0] for label in found}
    assert found[one(plan, "sft").rel] == "no config that counts has it"
    assert garbage(other, others=[tiny_plan(store.parent / "elsewhere")]) == found


def test_the_reason_names_what_the_configs_entry_has_other(plan, store):
    section = tiny_config(store)["ric"]
    found = garbage(tiny_plan(store, ric={**section, "epochs": 2}))
    assert found[one(plan, "ric").rel] == "made from other params"
    (generated,) = [label for label in found if label.startswith("generate/")]
    assert generated.startswith("generate/ric-") and found[generated] == "made from other inputs"


def test_an_entry_of_older_code_is_garbage(plan, store):
    old = one(plan, "online")
    other = store / "online" / f"{old.name}-0123456789ab"
    shutil.copytree(store / old.rel, other)
    write_json(other / "spec.json", {**old.spec, "code": "0ld"})
    assert garbage(plan) == {f"online/{old.name}-0123456789ab": "made from other code"}


def test_an_input_of_a_kept_entry_is_kept_and_so_are_its_inputs(plan, store):
    other = tiny_plan(store, seeds=[1])
    train = one(plan, "online")
    kept = store / one(other, "data").rel / "spec.json"
    write_json(kept, {**json.loads(kept.read_text()), "inputs": {"policy": train.rel}})
    found = looked_at(other)
    assert found[train.rel].kept == "an input of what is kept"
    assert found[train.inputs["sft"].rel].kept == "an input of what is kept"
    assert found[one(plan, "ric").rel].garbage


def test_an_entry_under_another_label_is_the_same_entry(plan, store):
    sft = one(plan, "sft")
    os.rename(store / sft.rel, store / "sft" / f"renamed-{sft.key}")
    assert not garbage(plan)


def test_the_work_of_a_given_config_is_kept_and_that_of_another_is_garbage(plan, store):
    other = tiny_plan(store, seeds=[1])
    mine, foreign = begin(store, one(plan, "online")), begin(store, one(other, "online"))
    found = looked_at(plan)
    (label,) = garbage(plan)
    assert label == f"work/{foreign.name} (online/{one(other, 'online').name})"
    delete(found[label])
    assert mine.exists() and [p.name for p in foreign.parent.iterdir()] == [mine.name]


def test_a_running_job_of_any_config_keeps_its_work_and_its_inputs(plan, store):
    other = tiny_plan(store, seeds=[1])
    job = one(plan, "online")
    work = begin(store, job)
    shutil.rmtree(store / job.rel)
    (store / job.rel).mkdir()  # as Snakemake makes it before the job starts
    label = f"work/{job.key} (online/{job.name})"
    with locked(work):
        found = looked_at(other, later=2 * DAY)
        assert found[label].kept == found[job.rel].kept == "running"
        assert all(found[a.rel].kept for a in job.inputs.values())
    found = garbage(other, later=2 * DAY)
    assert {label, job.rel, job.inputs["sft"].rel} <= set(found)


def test_a_job_that_begins_after_the_survey_keeps_its_work(plan, store):
    work = begin(store, one(tiny_plan(store, seeds=[1]), "online"))
    (folder,) = [folder for folder in looked_at(plan).values() if folder.garbage]
    with locked(work), pytest.raises(BlockingIOError):
        delete(folder)
    assert (work / "spec.json").exists()


def test_a_job_that_waits_for_its_turn_keeps_its_spec_for_a_day(plan, store):
    other = one(tiny_plan(store, seeds=[1]), "online")
    work = work_folder(store, other.key)
    work.mkdir(parents=True)
    write_json(work / "spec.json", other.spec)
    assert not garbage(plan, later=DAY / 2)
    assert set(garbage(plan, later=2 * DAY)) == {f"work/{other.key} (online/{other.name})"}


def test_stores_side_by_side_do_not_take_each_others_work_for_garbage(plan, store):
    beside = tiny_plan(store.parent / "second", seeds=[1])
    work = begin(store.parent / "second", one(beside, "online"))
    assert work.parent == work_folder(store, "x").parent
    assert not garbage(plan, others=[beside])


def test_leftovers_are_garbage_after_a_day(plan, store):
    hidden = store / "online" / ".x-0123456789ab.old-17"
    half = store / "online" / "x-0123456789ab"
    for folder in (hidden, half):
        folder.mkdir()
        (folder / "value").write_text("half")
        for path in (folder / "value", folder):  # its content is old, its present name is not
            os.utime(path, (0, 0))
    assert not garbage(plan, later=DAY / 2)
    found = garbage(plan, later=2 * DAY)
    assert found == {
        "online/.x-0123456789ab.old-17": "left over from replacing or deleting",
        "online/x-0123456789ab": "no manifest, so no result",
    }
    for label in found:
        delete(looked_at(plan)[label])
    assert not hidden.exists() and not half.exists()


def test_what_is_not_recognisably_an_entry_is_not_even_looked_at(plan, store):
    strangers = [
        store / "hub" / "models--a-0123456789ab",
        store / "elsewhere" / "x-0123456789ab",
        store / "online" / "notes",
        store / "online" / "x-0123456789",
        store / "online" / ".x-0123456789ab.backup",
        store.parent / "work" / "notes",
        store.parent / "work" / "0123456789ab",  # neither a spec nor anything under way
        store.parent / "tiny" / "x-0123456789ab",
    ]
    for folder in strangers:
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
    (store / "online" / "y-0123456789ab").symlink_to(store / "online" / "notes")
    assert set(looked_at(plan, later=2 * DAY)) == set(plan.entries)


def test_an_interrupted_deletion_leaves_no_half_entry_and_is_finished_later(
    plan, store, monkeypatch
):
    other = tiny_plan(store, seeds=[1])
    sft = one(plan, "sft")

    def interrupted(path):
        assert not (store / sft.rel).exists()
        (path / "manifest.json").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("moa.tools.garbage.shutil.rmtree", interrupted)
        delete(looked_at(other)[sft.rel])
    assert not is_published(store / sft.rel)
    left = f"sft/.{Path(sft.rel).name}.old-{os.getpid()}"
    assert left in garbage(other, later=2 * DAY)
    delete(looked_at(other, later=2 * DAY)[left])
    assert not list((store / "sft").iterdir())


def test_whole_configs_are_told_from_other_files_and_a_broken_one_counts(tmp_path):
    shutil.copytree(REPO / "config", tmp_path, dirs_exist_ok=True)
    (tmp_path / "revisions.lock.yaml").write_text("some/model: 0123456789ab\n")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "broken.yaml").write_text("runs: [\n")
    names = {path.name for path in whole_configs(tmp_path)}
    assert {"synthetic.yaml", "smollm2.yaml", "beta_w_sweep.yaml", "broken.yaml"} <= names
    others = {"paper_numbers.yaml", "revisions.lock.yaml", "empty.yaml"}
    assert not others & names


# The rest runs the program, in a copy of the repository with one config.


@pytest.fixture
def checkout(tmp_path):
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPO / "workflow_scripts", tmp_path / "workflow_scripts", ignore=ignore)
    (tmp_path / "config").mkdir()
    for name in ("published_shapes.yaml", "paper_numbers.yaml"):
        shutil.copy(REPO / "config" / name, tmp_path / "config")
    write_config(tmp_path)
    return tmp_path


def write_config(checkout, store="results/store", **changes):
    config = tiny_config(store, seeds=[1], **changes)
    (checkout / "config" / "tiny.yaml").write_text(yaml.safe_dump(config))


def collect(checkout, *arguments):
    return subprocess.run(
        [sys.executable, "workflow_scripts/collect_garbage.py", *arguments],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_deleted_without_the_flag_and_all_that_was_listed_with_it(checkout, plan, store):
    publish(store, tiny_plan(store, seeds=[1]).entries.values())
    entries = set(store.glob("*/*"))
    listed = collect(checkout)
    assert listed.returncode == 0, listed.stderr
    assert set(store.glob("*/*")) == entries
    sft = one(plan, "sft").rel
    assert sft in listed.stdout and "no config that counts has it" in listed.stdout
    assert "These configs count: config/tiny.yaml." in listed.stdout
    assert "older code are garbage by design" in listed.stdout
    assert "make gc DELETE=1" in listed.stdout and "WARNING" not in listed.stdout

    done = collect(checkout, "--delete")
    assert done.returncode == 0, done.stderr
    left = {path.relative_to(store).as_posix() for path in store.glob("*/*")}
    assert left == set(tiny_plan(store, seeds=[1]).entries)
    assert "garbage: 0 folders" in collect(checkout).stdout


def test_each_config_that_is_given_counts(checkout, plan, store):
    (checkout / "second.yaml").write_text(yaml.safe_dump(tiny_config(store, seeds=[0])))
    both = ("--configfile", "config/tiny.yaml", "--configfile", "second.yaml")
    assert "garbage: 0 folders" in collect(checkout, *both, "--delete").stdout


def test_a_config_that_does_not_resolve_stops_before_anything_is_deleted(checkout, plan, store):
    entries = set(store.glob("*/*"))
    write_config(checkout, onlin={})
    done = collect(checkout, "--delete")
    assert done.returncode == 1 and "did you mean 'online'" in done.stderr
    assert "config/tiny.yaml: " in done.stderr and "Nothing was deleted" in done.stderr
    assert "Traceback" not in done.stderr
    assert set(store.glob("*/*")) == entries


def test_what_may_be_of_a_config_whose_packages_are_not_installed_is_kept(checkout, plan, store):
    """No key of it is known here: neither of what needs the package, nor of what is made from that."""
    needed = tiny_plan(store, seeds=[1])
    publish(store, needed.entries.values())
    kind = checkout / "workflow_scripts" / "moa" / "datasets" / "synthetic_world.py"
    edited(kind, "REQUIRES: tuple[str, ...] = ()", 'REQUIRES = ("no-such-library",)')
    done = collect(checkout, "--delete")
    assert done.returncode == 0, done.stderr
    assert "config/tiny.yaml: no-such-library is not installed" in done.stdout
    assert "all that this config may refer to is kept" in done.stdout
    left = {path.relative_to(store).as_posix() for path in store.glob("*/*")}
    assert set(needed.entries) <= left
    gone = set(plan.entries) - left  # another seed's; what has none, such as figures, may be its
    assert {rel.split("/")[0] for rel in gone} >= {"sft", "online", "ric", "generate"}


def test_a_store_outside_the_checkout_brings_a_warning(checkout, tmp_path_factory):
    write_config(checkout, store=str(tmp_path_factory.mktemp("shared") / "store"))
    assert "outside the checkout" in collect(checkout).stdout


def test_an_entry_that_cannot_be_deleted_is_named_and_the_rest_is_deleted(plan, store, capsys):
    sft = one(plan, "sft").rel
    found = [f for f in looked_at(tiny_plan(store, seeds=[1])).values() if f.garbage]
    (store / "sft").rename(store / "away")
    assert remove(found) == 1
    assert f"{sft} is left: " in capsys.readouterr().err
    assert not list((store / "online").iterdir())


def remember(checkout, config="config/tiny.yaml", **given):
    """Have the store remember a plan, as a run does."""
    settings = {**yaml.safe_load((checkout / config).read_text()), **given}
    asked = Origin.of(checkout / config, settings, checkout)
    record(asked.plan(), asked, checkout / "results" / "store")


def test_what_was_run_with_other_seeds_counts_until_it_is_forgotten(checkout, plan, store):
    publish(store, tiny_plan(store, seeds=[1]).entries.values())
    remember(checkout)
    remember(checkout, seeds=[0])
    done = collect(checkout, "--delete")
    assert "garbage: 0 folders" in done.stdout, done.stdout + done.stderr
    (seeds,) = [p for p in (store / "plans").iterdir() if "seeds" in p.read_text()]
    assert (
        f"So does what was run here before: config/tiny.yaml with seeds=[0] ({seeds};"
        in done.stdout
    )
    assert done.stdout.count("what was run here before") == 1  # not config/tiny.yaml again
    seeds.unlink()
    done = collect(checkout)
    assert one(plan, "sft").rel in done.stdout and "run here before" not in done.stdout


def test_entries_of_older_code_are_garbage_whatever_the_store_remembers(checkout, plan, store):
    remember(checkout, seeds=[0])
    old = one(plan, "online")
    shutil.copytree(store / old.rel, store / "online" / f"{old.name}-0123456789ab")
    spec = store / "online" / f"{old.name}-0123456789ab" / "spec.json"
    write_json(spec, {**old.spec, "code": "0ld"})
    listed = collect(checkout).stdout
    assert "garbage: 1 folders" in listed and f"{old.name}-0123456789ab" in listed


def test_a_remembered_config_that_is_gone_drops_out_and_is_named(checkout, plan, store):
    config = tiny_config("results/store", seeds=[0])
    (checkout / "mine.yaml").write_text(yaml.safe_dump(config))
    remember(checkout, "mine.yaml")
    assert "garbage: 0 folders" in collect(checkout).stdout
    (checkout / "mine.yaml").write_text(yaml.safe_dump({**config, "onlin": {}}))
    done = collect(checkout, "--delete")
    (kept,) = (store / "plans").iterdir()
    assert done.returncode == 1 and f"delete {kept} if it no longer counts" in done.stderr
    (checkout / "mine.yaml").unlink()
    listed = collect(checkout).stdout
    assert f"Its config is gone, so this does not count: mine.yaml ({kept};" in listed
    assert one(plan, "sft").rel in listed


def test_figures_that_showed_what_was_deleted_are_removed(checkout, plan, store):
    show_views(plan, store, checkout)
    figure = "results/tiny/safety/figures/pareto_fronts.pdf"
    assert (checkout / figure).is_symlink()
    assert (checkout / figure).is_symlink() and collect(checkout).returncode == 0
    assert (checkout / figure).is_symlink()
    assert "of results/ showed what was deleted" in collect(checkout, "--delete").stdout
    assert not (checkout / figure).is_symlink()


def test_the_store_is_the_checkouts_wherever_the_program_is_run(checkout, plan, store):
    script = checkout / "workflow_scripts" / "collect_garbage.py"
    done = subprocess.run(
        [sys.executable, str(script)], cwd="/", capture_output=True, text=True, check=False
    )
    assert one(plan, "sft").rel in done.stdout and f"\n{store}\n" in done.stdout
    assert "WARNING" not in done.stdout
