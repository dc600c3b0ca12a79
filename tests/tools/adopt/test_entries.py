"""After a change that is declared harmless nothing is made again, and every result says so."""

import errno
import json
import os
import re
import shutil
import time
from pathlib import Path

import pytest

from moa.runtime.errors import JobError
from moa.runtime.files import file_digest, write_json
from moa.runtime.publishing import is_published, read_manifest, restore, work_folder
from moa.tools import garbage
from moa.tools.adopt import ADOPTABLE, adopt
from moa.tools.status import Status
from moa.workflow import entries as planning
from moa.workflow.stages import STAGES
from support.adopting import TRAINER, WHY, adopt_all, found, missing, one, stages
from support.tiny_store import locked, publish, tiny_config, tiny_plan


def test_nothing_is_adopted_where_nothing_is_missing_or_nothing_was_made(plan, store, tmp_path):
    assert not found(plan, store).adoptions and not found(plan, store).left
    other = tmp_path / "other" / "store"
    assert not found(tiny_plan(other), other).adoptions


def test_a_harmless_change_is_named_by_its_file_and_the_whole_chain_is_found(plan, store, change):
    change(TRAINER)
    new = tiny_plan(store)
    seen = found(new, store)
    gone = [a for a in new.entries.values() if a.rel in missing(new, store)]
    assert [a.entry.rel for a in seen.adoptions] == [a.rel for a in gone if a.stage in ADOPTABLE]
    differences = {a.entry.rel: a.difference for a in seen.adoptions}
    sft = one(new, "sft")
    assert differences[sft.rel] == {"code": [f"{TRAINER} changed"]}
    for stage, name in (("online", ""), ("generate", "mi_epo"), ("score", "mi_epo")):
        assert set(differences[one(new, stage, name).rel]) == {"inputs"}
    pair = [one(plan, "sft").rel, sft.rel]
    assert differences[one(new, "online").rel]["inputs"]["sft"] == pair
    assert not missing(plan, store) and not seen.left and not seen.faults


def test_adopted_entries_share_their_files_and_tell_their_story(plan, store, change):
    change(TRAINER)
    new = tiny_plan(store)
    done = adopt_all(new, store)
    assert done and stages(new.entries[rel] for rel in missing(new, store)) == STAGES.keys() - set(
        ADOPTABLE
    )
    for adoption in done:
        old, out = store / adoption.source.rel, store / adoption.entry.rel
        for name in ("value", "sub/large"):
            assert (out / name).stat().st_ino == (old / name).stat().st_ino
        assert json.loads((out / "spec.json").read_text()) == adoption.entry.spec
        manifest, before = read_manifest(out), read_manifest(old)
        assert (out / ".manifest.json").read_bytes() == (out / "manifest.json").read_bytes()
        assert manifest["files"]["spec.json"] == file_digest(out / "spec.json")
        trace = manifest.pop("adopted")
        assert {"key", "files"} >= {k for k in before if before[k] != manifest[k]}
        assert manifest["key"] == adoption.entry.key
        assert trace["from"] == adoption.source.rel and trace["why"] == WHY
        assert trace["difference"] == adoption.difference
        assert re.fullmatch(r"[^@]+@[^@]+", trace["by"]) and trace["when"].endswith("Z")
        assert not work_folder(store, adoption.entry.key).exists()
    assert not found(new, store).adoptions
    shown = [a for a in done if a.entry.stage != "evaluate"]
    assert f"; {len(shown)} of those done were adopted" in Status(new, time.time()).summary()
    # A queued job finds the entry made, though Snakemake deleted the manifest in front of it.
    out = store / done[0].entry.rel
    (out / "manifest.json").unlink()
    assert restore(out, planned=time.time() - 60) and is_published(out)


def test_what_was_adopted_is_adopted_again_and_remembers_both(plan, store, change):
    for file in (TRAINER, "moa/oracles/synthetic_world.py"):
        change(file)
        new = tiny_plan(store)
        adopt_all(new, store, why=f"harmless: {file}")
    trace = read_manifest(store / one(new, "score", "mi_epo").rel)["adopted"]
    assert trace["why"] == "harmless: moa/oracles/synthetic_world.py"
    assert trace["before"]["why"] == f"harmless: {TRAINER}"
    assert trace["before"]["from"] == one(plan, "score", "mi_epo").rel


def test_half_an_adoption_is_finished_later_and_a_lost_middle_does_not_break_it(
    plan, store, change
):
    change(TRAINER)
    new = tiny_plan(store)
    first, *rest = found(new, store).adoptions
    adopt(first, store, WHY)
    assert [a.entry.rel for a in found(new, store).adoptions] == [a.entry.rel for a in rest]
    change("moa/oracles/synthetic_world.py")  # no more than sft was ever adopted
    shutil.rmtree(store / one(new, "sft").rel)
    newest = tiny_plan(store)
    adopt_all(newest, store)
    assert stages(newest.entries[rel] for rel in missing(newest, store)) == STAGES.keys() - set(
        ADOPTABLE
    )


def test_old_entries_can_go_and_the_adopted_stay_readable(plan, store, change):
    change(TRAINER)
    new = tiny_plan(store)
    done = adopt_all(new, store)
    looked_at = garbage.survey({store: new.entries.values()}, time.time())[store]
    old = {folder.label: folder for folder in looked_at if folder.garbage}
    assert {a.source.rel for a in done} <= set(old)
    assert old[one(plan, "sft").rel].garbage == "made from other code"
    assert not {a.entry.rel for a in done} & set(old)
    for folder in old.values():
        garbage.delete(folder)
    for adoption in done:
        assert (store / adoption.entry.rel / "sub/large").read_text() == "weights"
    assert not any((store / a.source.rel).exists() for a in done)


@pytest.mark.parametrize("refused", [errno.EXDEV, errno.EPERM])
def test_without_hard_links_files_are_linked_by_name_and_what_they_lead_to_is_kept(
    plan, store, change, monkeypatch, refused
):
    def no_link(*_):
        raise OSError(refused, os.strerror(refused))

    monkeypatch.setattr("moa.tools.adopt.os.link", no_link)
    for file in (TRAINER, "moa/oracles/synthetic_world.py"):
        change(file)
        new = tiny_plan(store)
        done = adopt_all(new, store)
    sft = store / one(new, "sft").rel
    assert not Path(os.readlink(sft / "sub/large")).is_absolute()
    moved = store.parent.rename(store.parents[1] / "elsewhere") / "store"
    assert (moved / sft.relative_to(store) / "sub/large").read_text() == "weights"
    for folder in garbage.survey({moved: new.entries.values()}, time.time())[moved]:
        if folder.garbage:
            garbage.delete(folder)
    for adoption in done:
        assert (moved / adoption.entry.rel / "sub/large").read_text() == "weights"


def test_no_space_is_no_reason_to_link_by_name(plan, store, change, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("moa.tools.adopt.os.link", full)
    change(TRAINER)
    with pytest.raises(OSError, match="full"):
        adopt_all(tiny_plan(store), store)


def test_links_in_an_entry_stay_what_they_are(plan, store, change):
    (store.parent / "model").write_text("weights")
    base = store / one(plan, "base").rel
    (base / "model").symlink_to(Path("../../../model"))
    change("build_base.py")
    new = tiny_plan(store)
    adopt_all(new, store)
    copy = store / one(new, "base").rel / "model"
    assert os.readlink(copy) == "../../../model" and copy.read_text() == "weights"


def test_a_changed_version_is_named_with_both(plan, store, change):
    change(trl="99.1")
    new = tiny_plan(store)
    seen = {a.entry.stage: a.difference for a in found(new, store).adoptions}
    old = one(plan, "sft").spec["versions"]["trl"]
    assert seen["sft"]["versions"] == {"trl": [old, "99.1"]} and "code" not in seen["sft"]
    assert "versions" not in seen["online"]  # which does without


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": [1]},
        {"sft": {"epochs": 2, "learning_rate": 1.0e-3, "response": "routed"}},
    ],
    ids=str,
)
def test_another_parameter_or_seed_is_never_adopted(plan, store, change, changes):
    change(TRAINER)
    new = tiny_plan(store, **changes)
    seen = found(new, store)
    assert not seen.adoptions
    assert {"sft", "online", "generate", "score"} <= {
        entry.stage for entries in seen.left.values() for entry in entries
    }


def test_another_store_version_or_data_is_never_adopted(plan, store, change, monkeypatch):
    change(TRAINER)
    tasks = tiny_config(store)["tasks"]
    tasks["safety"]["data"]["n_train"] = 16
    new = tiny_plan(store, tasks=tasks)
    assert not found(new, store).adoptions
    monkeypatch.setattr(planning, "STORE_VERSION", 99)
    assert not found(tiny_plan(store), store).adoptions


def test_what_an_input_made_anew_would_change_is_not_adopted(plan, store, change):
    change(TRAINER)
    new = tiny_plan(store)
    publish(store, [one(new, "sft")], {"value": "43"})
    seen = found(new, store)
    assert not seen.adoptions
    (reason,) = seen.left
    assert reason == "what is published like it was made from other inputs"
    shutil.rmtree(store / one(new, "sft").rel)
    assert found(new, store).adoptions


def test_of_several_the_newest_is_taken_unless_nothing_was_made_from_it(plan, store, change):
    change(TRAINER)
    second = tiny_plan(store)
    publish(store, [one(second, "sft")])  # begun, and given up
    change("moa/oracles/synthetic_world.py", "train_sft.py", "moa/__init__.py")
    third = tiny_plan(store)

    def source():
        return next(a.source.rel for a in found(third, store).adoptions if a.entry.stage == "sft")

    assert source() == one(plan, "sft").rel
    publish(store, second.entries.values())
    started = store / one(plan, "sft").rel / "manifest.json"
    write_json(started, {**json.loads(started.read_text()), "started": "2020-01-01T00:00:00Z"})
    assert source() == one(second, "sft").rel


@pytest.mark.parametrize("damage", ["lacks sub/large", "has another sub/large"])
def test_what_is_not_whole_is_not_adopted_nor_what_was_made_from_it(plan, store, change, damage):
    change(TRAINER)
    sft = one(plan, "sft").rel
    (store / sft / "sub/large").unlink()
    if damage.startswith("has"):
        (store / sft / "sub/large").write_text("other")
    seen = found(tiny_plan(store), store)
    assert [fault.split(",")[0].split(" than")[0] for fault in seen.faults] == [f"{sft} {damage}"]
    assert not seen.adoptions
    assert seen.left["what is published like it is not whole"]


def test_a_running_jobs_entry_is_left_to_it(plan, store, change):
    change(TRAINER)
    new = tiny_plan(store)
    first, *_ = found(new, store).adoptions
    work = work_folder(store, one(new, "sft").key)
    work.mkdir(parents=True)
    with locked(work):
        assert not found(new, store).adoptions
        with pytest.raises(JobError, match=r"is making it\. Adopt again when"):
            adopt(first, store, WHY)
    publish(store, [first.entry])
    with pytest.raises(JobError, match="was made just now"):
        adopt(first, store, WHY)
    assert "adopted" not in read_manifest(store / first.entry.rel)


def test_an_entry_without_a_record_of_its_files_names_the_commit(plan, store, change):
    sft = store / one(plan, "sft").rel
    spec = json.loads((sft / "spec.json").read_text())
    del spec["code_files"]
    write_json(sft / "spec.json", spec)
    manifest = read_manifest(sft)
    files = {**manifest["files"], "spec.json": file_digest(sft / "spec.json")}
    write_json(
        sft / "manifest.json", {**manifest, "files": files, "git_commit": "0123456789ab-dirty"}
    )
    change(TRAINER)
    difference = found(tiny_plan(store), store).adoptions[0].difference
    assert difference == {
        "code": [
            "files of which this older entry has no record: git diff 0123456789ab -- workflow_scripts"
        ]
    }
