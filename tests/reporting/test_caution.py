"""What is too small to tell methods apart says so, and `make demo` is."""

from moa.reporting.caution import FEW, caution_notes
from moa.workflow.config import resolve
from moa.workflow.inherit import read_config
from moa.workflow.methods import METHODS
from support.paths import CONFIG, REPO


def test_few_test_prompts_are_said_to_tell_nothing_of_methods():
    (note,) = caution_notes({"prompts": FEW - 1})
    assert f"Of {FEW - 1} test prompts" in note and "nothing about the methods" in note
    assert caution_notes({"prompts": FEW}) == caution_notes({"tasks": {}}) == []


def test_the_demonstration_has_all_methods_and_one_task_and_says_what_it_is():
    demo = resolve(read_config(CONFIG / "demo.yaml"))
    (task,) = demo.tasks.values()
    trained = METHODS.keys() - {"external"}  # whose responses come out of a file
    assert {run.method.name for run in task.runs} == trained
    assert caution_notes({"prompts": task.data.n_test})
    assert demo.name == "demo" and len(demo.seeds) == 1
    recipe = (REPO / "Makefile").read_text().split("\ndemo: ")[1].split("\n\n")[0]
    assert "the machinery, not the methods" in recipe and "--configfile config/demo.yaml" in recipe
    assert "make demo" in (REPO / "README.md").read_text()
