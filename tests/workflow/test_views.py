"""Views show what the store has, an older entry as long as there is no newer one, and say so."""

import os
import shutil

import pytest

from moa.workflow.views import link_view, outdated, outdated_notes, remove_views, show_views
from support.tiny_store import publish, tiny_config, tiny_plan

PARETO = "results/tiny/safety/figures/pareto_fronts.pdf"
SUMMARY = "results/tiny/safety/tables/summary.md"
EXPLORER = "results/tiny/safety/explorer.html"


@pytest.fixture
def root(store):
    return store.parent.parent


def report(plan, store, *paths):
    """Publish the entries behind stable paths, and all that these are made from."""
    found = {}

    def add(entry):
        for i in entry.inputs.values():
            add(i)
        found[entry.rel] = entry

    for path in paths or plan.views:
        add(plan.views[path][0])
    files = dict.fromkeys({file for _, file in plan.views.values()}, "made")
    publish(store, [a for rel, a in found.items() if not (store / rel).exists()], files)


def shown(root):
    links = (p for p in (root / "results" / "tiny").rglob("*") if p.is_symlink())
    return {p.relative_to(root).as_posix() for p in links}


def test_only_what_the_store_has_is_shown(store, root):
    plan = tiny_plan(store)
    report(plan, store, PARETO)
    show_views(plan, store, root)
    assert shown(root) == {PARETO, PARETO.replace(".pdf", ".png")}
    entry, _ = plan.views[PARETO]
    assert os.readlink(root / PARETO) == f"../../../store/{entry.rel}/pareto_fronts.pdf"
    assert (root / PARETO).read_text() == "made" and outdated(plan, root) == ([], [])


def test_an_older_entry_is_shown_and_told_until_there_is_a_newer_one(store, root):
    old, new = tiny_plan(store), tiny_plan(store, seeds=[1])
    report(old, store)
    show_views(old, store, root)
    before = {path: os.readlink(root / path) for path in old.views}
    report(new, store, PARETO)
    show_views(new, store, root)
    changed = {path for path, target in before.items() if os.readlink(root / path) != target}
    assert changed == {PARETO, PARETO.replace(".pdf", ".png")}
    older, left = outdated(new, root)
    assert len(older) == 14 and "safety/tables/summary" in older
    assert "safety/figures/pareto_fronts" not in older
    runs = ("mi_epo", "mo_odpo", "rewarded_soups", "ric", "rlhf")
    assert left == [f"safety/policies/{run}-s0" for run in runs]  # another seed's is another path
    note, apart = outdated_notes(new, root)
    said = "figures, tables, explorers or policies are in results/tiny of an older plan"
    assert note.startswith(f"14 {said}: safety/figures/")
    assert "and 8 more; `make run` makes" in note
    assert apart.startswith(f"5 {said}, and not in this one at all: safety/policies/mi_epo-s0,")


def test_what_the_plan_no_longer_has_is_told_apart(store, root):
    old = tiny_plan(store)
    report(old, store)
    show_views(old, store, root)
    task = tiny_config(store)["tasks"]["safety"]
    del task["beta_w_sweep"]
    new = tiny_plan(store, tasks={"safety": task})
    report(new, store)
    show_views(new, store, root)
    sweep = ["safety/figures/beta_w_sweep", "safety/tables/beta_w_sweep"]
    assert outdated(new, root) == ([], sweep)
    (note,) = outdated_notes(new, root)
    said = "figures, tables, explorers or policies are in results/tiny of an older plan"
    assert note.startswith(f"2 {said}, and not in this")
    assert ", ".join(sweep) in note


def test_a_view_whose_entry_was_deleted_is_removed_and_no_longer_told(store, root):
    old, new = tiny_plan(store), tiny_plan(store, seeds=[1])
    report(old, store, PARETO, SUMMARY)
    show_views(old, store, root)
    entry, _ = old.views[PARETO]
    shutil.rmtree(store / entry.rel)
    assert outdated(new, root) == (["safety/tables/summary"], [])
    show_views(new, store, root)
    assert {path for path in shown(root) if "figures" in path} == set()
    assert (root / SUMMARY).read_text() == "made"


def test_views_of_deleted_entries_can_be_removed_and_no_others(store, root):
    plan = tiny_plan(store)
    report(plan, store, PARETO, SUMMARY, EXPLORER)
    show_views(plan, store, root)
    mine = root / "results/tiny/safety/figures/notes.pdf"
    mine.write_text("mine")
    assert remove_views(root, {plan.views[path][0].rel for path in (PARETO, EXPLORER)}) == 3
    assert {path for path in shown(root) if "/tables/" not in path} == set()
    assert (root / SUMMARY).exists() and mine.exists()


def test_a_policy_is_shown_as_the_folder_of_its_entry(store, root):
    plan, path = tiny_plan(store), "results/tiny/safety/policies/mi_epo-s0"
    entry, name = plan.views[path]
    assert (entry.stage, name) == ("policy", "mi_epo-s0")
    publish(store, [e for e in plan.entries.values() if e.stage != "policy"])
    publish(store, [entry], {f"{name}/policy.json": "made"})
    show_views(plan, store, root)
    assert (root / path / "policy.json").read_text() == "made"
    assert os.readlink(root / path) == f"../../../store/{entry.rel}/{name}"
    assert outdated(plan, root) == ([], [])
    assert remove_views(root, {entry.rel}) == 1 and not (root / path).is_symlink()


def test_what_a_policy_is_made_of_is_what_it_is_asked_with_and_no_response(store):
    plan = tiny_plan(store)
    made_of = {
        name.removesuffix("-s0"): sorted(e.inputs)
        for path, (e, name) in plan.views.items()
        if "/policies/" in path
    }
    start = ["base", "data", "oracle_stats", "sft"]
    experts = ["expert/harmlessness", "expert/helpfulness"]
    assert made_of == {
        **dict.fromkeys(("rlhf", "rewarded_soups"), sorted([*start, *experts])),
        **dict.fromkeys(("ric", "mo_odpo", "mi_epo"), sorted([*start, "policy"])),
    }


def test_a_link_that_is_right_already_is_left_as_it_is(store, root):
    link, target = root / PARETO, store / "figure" / "a-0123456789ab" / "pareto_fronts.pdf"
    link_view(link, target)
    before = link.lstat().st_mtime_ns, link.lstat().st_ino
    link_view(link, target)
    assert (link.lstat().st_mtime_ns, link.lstat().st_ino) == before
