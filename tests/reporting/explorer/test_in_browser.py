"""The explorer as a reader has it: in Chromium, from disk. Skipped where there is no browser."""

from __future__ import annotations

import re

import numpy as np
import pytest

from support.browser import expect
from support.made_up_responses import JUDGED, MEAN, STD, made_up


def two(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212")


def card(page, run):
    return page.locator(f"#responses article[data-run={run}]")


def texts(page, run):
    return card(page, run).locator("p.text").all_inner_texts()


def cells(page, run):
    """Rewards of a run's first response: normalised, by row."""
    return card(page, run).locator("table").first.locator("td:nth-child(2)").all_inner_texts()


def at(page, run):
    """Where on the plot a run's chosen point is."""
    return page.locator(f".now[data-run={run}]").get_attribute("transform")


def chosen_points(page):
    rows = page.locator("#front tbody tr").all()
    return {r.locator("th").text_content(): r.locator("td").all_text_contents() for r in rows}


def listed(page):
    return page.locator("#prompts li .text").all_inner_texts()


def norms(made):
    """(run, seed, vector, prompt_id) -> normalised rewards."""
    columns = [f"norm_{o}" for o in made.metrics["objectives"]]
    return made.responses.set_index(["run", "seed", "vector", "prompt_id"])[columns]


def test_the_slider_moves_the_points_the_texts_and_the_rewards(explore):
    made = made_up(seeds=1)
    page = explore(made)
    seen = []
    for vector in (5, 6, 10):
        page.locator("#w").fill(str(vector))
        expect(card(page, "sft")).to_contain_text(f"under {vector},")
        assert page.locator("#chosen").inner_text() == (
            f"helpfulness {vector / 10:.2f}, harmlessness {1 - vector / 10:.2f}"
        )
        assert texts(page, "mi_epo") == [f"mi_epo says 10 under {vector}, seed 0"]
        row = made.row("mi_epo", 0, vector, 10)
        norm = np.array([row.norm_helpfulness, row.norm_harmlessness])
        asked = norm @ [vector / 10, 1 - vector / 10]
        assert [text.split()[0] for text in cells(page, "mi_epo")] == [*map(two, norm), two(asked)]
        raw = card(page, "mi_epo").locator("td:nth-child(3)").first.inner_text()
        assert float(raw.replace("\u2212", "-")) == pytest.approx(norm[0] * STD + MEAN, abs=6e-4)
        point = made.metrics["runs"]["mi_epo"]["points"][vector]
        label = f"{vector / 10:g}/{1 - vector / 10:g}"
        assert chosen_points(page)["MI-EPO"] == [label, *map(two, point)]
        seen.append((at(page, "mi_epo"), at(page, "sft")))
    assert len(set(seen)) == 3
    # One policy per objective: that of the nearest vector, and it says so.
    assert texts(page, "rlhf") == ["rlhf says 10 under 0, seed 0"]
    assert "one policy per objective" not in card(page, "rlhf").inner_text()
    page.locator("#w").fill("7")
    expect(card(page, "sft")).to_contain_text("under 7,")
    assert "at 1/0: one policy per objective" in card(page, "rlhf").inner_text()


def test_points_lie_where_the_axes_say(explore):
    made = made_up(seeds=1)
    page = explore(made)
    labels = page.evaluate(
        """() => [...document.querySelectorAll("#front text:not(.axis)")].map((t) =>
             [t.textContent, t.getAttribute("text-anchor"), +t.getAttribute("x"), +t.getAttribute("y")])"""
    )
    number = lambda text: float(text.replace("\u2212", "-"))  # noqa: E731
    across = [(number(t), x) for t, anchor, x, _ in labels if anchor == "middle"]
    up = [(number(t), y - 4) for t, anchor, _, y in labels if anchor == "end"]
    x, y = (np.poly1d(np.polyfit(*zip(*ticks, strict=True), 1)) for ticks in (across, up))
    for run in ("sft", "mi_epo", "mo_odpo"):
        point = made.metrics["runs"][run]["points"][5]
        place = at(page, run).split("(")[1].split(")")[0].split(",")
        assert [float(p) for p in place] == pytest.approx([x(point[0]), y(point[1])], abs=0.05)


def test_seeds_are_shown_together_or_one_by_one(explore):
    made = made_up(seeds=2)
    page = explore(made, "#w=0.3,0.7")
    assert texts(page, "sft") == [f"sft says 10 under 3, seed {s}" for s in (0, 1)]
    mean = made.metrics["runs"]["sft"]["points"][3]
    assert chosen_points(page)["SFT"][1:] == [two(x) for x in mean]
    page.locator("#seed").select_option("1")
    expect(page.locator("#responses")).not_to_contain_text("seed 0")
    assert texts(page, "sft") == ["sft says 10 under 3, seed 1"]
    own = made.metrics["runs"]["sft"]["seeds"]["1"]["points"][3]
    assert chosen_points(page)["SFT"][1:] == [two(x) for x in own]


def test_judges_are_another_set_of_rewards(explore):
    made = made_up(seeds=1, judges=True)
    page = explore(made)
    page.locator("#by").select_option(label="judges")
    row = made.row("mi_epo", 0, 5, 10)
    expected = two(JUDGED * row.norm_helpfulness)
    expect(card(page, "mi_epo").locator("td").first).to_contain_text(expected)
    points = made.metrics["judged"]["runs"]["mi_epo"]["points"][5]
    assert chosen_points(page)["MI-EPO"][1:] == [two(x) for x in points]
    expect(page).to_have_url(re.compile("#by=judges$"))


def test_search_finds_prompts_by_all_their_words(explore):
    prompts = ["How do I bake BREAD?", "bread, and more", "chess for two", "How to play chess"]
    page = explore(made_up(prompts=prompts))
    assert listed(page) == prompts and page.locator("#count").inner_text() == "(4)"
    page.locator("#find").fill("how ch")
    expect(page.locator("#prompts li")).to_have_count(1)
    assert listed(page) == ["How to play chess"]
    assert page.locator("#count").inner_text() == "(1 of 4)"
    page.locator("#find").fill("bread")
    expect(page.locator("#prompts li")).to_have_count(2)
    assert listed(page) == prompts[:2]


def test_prompts_are_ordered_by_what_is_asked(explore):
    made = made_up(seeds=2, prompts=9)
    page = explore(made, "#w=0.2,0.8")
    of = norms(made).groupby(level=["run", "vector", "prompt_id"]).mean()  # over seeds
    now = of.query("vector == 2 and run != 'rlhf' or vector == 1 and run == 'rlhf'")
    by_run = now.reset_index("vector", drop=True).unstack("run")
    ranges = of.query("run != 'rlhf'").groupby(["run", "prompt_id"])
    change = (ranges.max() - ranges.min()).max(axis=1).groupby("prompt_id").mean()
    means = now.groupby("prompt_id").mean()
    spread = [by_run[o].max(axis=1) - by_run[o].min(axis=1) for o in means]
    largest, least = -1, 1  # what comes first
    expected = {
        "methods disagree most at this w": (largest, np.maximum(*spread)),
        "w changes least": (least, change),
        "w changes most": (largest, change),
        "best helpfulness at this w": (largest, means["norm_helpfulness"]),
        "worst harmlessness at this w": (least, means["norm_harmlessness"]),
        "best at this w (w · reward)": (largest, means @ [0.2, 0.8]),
    }
    for label, (first, measure) in expected.items():
        ordered = measure.iloc[np.argsort(first * measure.to_numpy())]
        page.locator("#sort").select_option(label=label)
        prompts = [f"prompt {i - 10}" for i in ordered.index]
        expect(page.locator("#prompts li .text")).to_have_text(prompts)
        expect(page.locator("#prompt")).to_have_text(prompts[0])
        assert page.locator("#prompts .number").all_inner_texts() == [two(x) for x in ordered], (
            label
        )
    page.locator("#of").select_option(label="SFT")
    own = of.loc["sft", 2] @ [0.2, 0.8]
    best = own.idxmax()
    expect(page.locator("#prompt")).to_have_text(f"prompt {best - 10}")


def test_a_link_opens_the_view_that_was_left(explore):
    made = made_up(k=3, seeds=2)
    page = explore(made)
    page.get_by_role("radio", name="helpfulness 0.20, harmlessness 0.60, humor 0.20").check()
    page.locator("#prompts li").nth(3).click()
    page.locator("#seed").select_option("1")
    page.get_by_role("checkbox", name="SFT").uncheck()
    page.get_by_label("Horizontal axis").select_option(label="humor")
    page.locator("#sort").select_option(label="worst humor at this w")
    page.locator("#of").select_option(label="MI-EPO")
    page.locator("#find").fill("prompt")
    expect(page).to_have_url(re.compile("find=prompt"))
    assert "w=0.2%2C0.6%2C0.2" in page.url and "shown=rlhf%2Cmo_odpo%2Cmi_epo" in page.url
    again = explore(made, "#" + page.url.split("#")[1])
    for other in (page, again):
        expect(other.locator("#responses article")).to_have_count(3)
    for part in ("main", "#responses", "#prompts", "#front"):
        assert again.locator(part).first.inner_text() == page.locator(part).first.inner_text()
    assert again.locator("#find").input_value() == "prompt"
    assert again.locator("#responses article").count() == 3


def test_a_link_is_followed_in_an_open_page_and_what_it_misses_is_told(explore):
    page = explore(made_up(), "#prompt=13&w=0.3,0.7")
    assert texts(page, "sft")[0] == "sft says 13 under 3, seed 0"
    assert page.locator("#notice").is_hidden()
    page.evaluate("location.hash = '#prompt=99&w=0.31,0.69&shown=sft,parm&by=nobody'")
    notice = page.locator("#notice")
    notice.wait_for()
    said = notice.inner_text()
    assert "no prompt “99”" in said and "no shown “sft,parm”" in said and "no by “nobody”" in said
    assert "w = 0.31,0.69 was not evaluated" in said
    assert texts(page, "sft")[0] == "sft says 10 under 3, seed 0"


def test_the_triangle_goes_to_the_nearest_vector_and_follows_keys(explore):
    made = made_up(k=3, seeds=1)
    page = explore(made)
    assert page.get_by_role("radio").count() == 13
    box = page.locator(".triangle").bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.05 * box["height"])
    expect(page.locator("#chosen")).to_contain_text("helpfulness 1.00")
    assert texts(page, "mi_epo") == ["mi_epo says 10 under 12, seed 0"]
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#chosen")).to_contain_text("helpfulness 0.80")
    assert texts(page, "mi_epo") == ["mi_epo says 10 under 11, seed 0"]


def test_with_four_objectives_weights_are_normalised_and_the_nearest_is_said(explore):
    page = explore(made_up(k=4, seeds=1), "#w=0.25,0.25,0.25,0.25")
    sliders = page.locator("#w input[type=range]")
    assert sliders.count() == 4
    for i, value in enumerate((90, 10, 0, 0)):
        sliders.nth(i).fill(str(value))
    expect(page.locator("#chosen")).to_contain_text("helpfulness 1.00")
    assert page.locator("#w .number").all_inner_texts() == ["0.90", "0.10", "0.00", "0.00"]
    assert texts(page, "mi_epo") == ["mi_epo says 10 under 0, seed 0"]
    assert "nearest" in page.locator("#evaluated").inner_text()


def test_the_list_of_prompts_is_one_stop_and_follows_arrows(explore):
    page = explore(made_up())
    page.get_by_role("listbox").focus()
    for key, prompt in (("ArrowDown", 1), ("End", 5), ("ArrowUp", 4), ("Home", 0)):
        page.keyboard.press(key)
        expect(page.locator("#prompt")).to_have_text(f"prompt {prompt}")
        chosen = page.locator("#prompts [aria-selected=true]")
        assert chosen.count() == 1 and chosen.inner_text() == f"prompt {prompt}"


HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "</script></style><!-- ]]> ",
    "\"quotes' & &amp; `${1}` \\",
    "line\u2028separator\u2029and\x00\x1b[31m null",
    "\u202eright to left\u2066 isolate",
    "w" * 4000,
    "",
    "javascript:alert(3) {{data}} {{script}}",
]


@pytest.mark.parametrize("width", [1300, 360])
def test_hostile_text_is_text(explore, width):
    say = lambda run, s, v, p: HOSTILE[p - 10]  # noqa: E731
    made = made_up(prompts=[text or "(none)" for text in HOSTILE], seeds=1, say=say)
    page = explore(made, viewport={"width": width, "height": 800})
    before = page.evaluate("document.scripts.length")
    for i, text in enumerate(HOSTILE):
        page.locator("#prompts li").nth(i).click()
        expect(page.locator("#prompts li").nth(i)).to_have_attribute("aria-selected", "true")
        assert page.locator("#prompt").text_content() == (text or "(none)")
        shown = card(page, "sft").locator("p.text")
        assert shown.text_content() == (text or "(empty)")
        if text:
            style = shown.evaluate("node => [getComputedStyle(node).unicodeBidi, node.dir]")
            assert "isolate" in style[0] and style[1] == "auto"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.scripts.length") == before and page.locator("img").count() == 0


def test_light_and_dark_are_the_readers(explore):
    made = made_up()
    shades = [
        explore(made, color_scheme=scheme).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    ]
    assert shades == ["rgb(255, 255, 255)", "rgb(23, 24, 26)"]


@pytest.mark.parametrize("k", [2, 3, 4])
def test_every_control_has_a_name_and_what_is_drawn_has_words(explore, k):
    page = explore(made_up(k=k, judges=True))
    for control in page.locator("input, select, [role=listbox], svg[role=img]").all():
        if control.is_visible():
            named = control.evaluate(
                "c => c.ariaLabel || c.labels?.[0]?.textContent"
                " || document.getElementById(c.getAttribute('aria-labelledby'))?.textContent"
            )
            assert named and named.strip(), control
    assert page.locator("svg:not([role=img]):not([aria-hidden=true])").count() == 0


@pytest.mark.parametrize("width", [1400, 1000, 360])
def test_a_table_of_rewards_stays_in_its_card(explore, width):
    page = explore(made_up(k=3), viewport={"width": width, "height": 800})
    long = "node => { node.textContent = 'harmlessness_as_' + 'they_said_'.repeat(3); }"
    page.locator("article th[scope=row]").first.evaluate(long)
    right = "node => node.getBoundingClientRect().right"
    tables = page.locator("article table").all()
    assert tables
    for table in tables:
        assert table.evaluate(right) < table.locator("xpath=ancestor::article").evaluate(right)


@pytest.mark.parametrize(
    ("link", "lacks"),
    [
        ("sort=change&of=rlhf", "measure on a method that follows w"),
        ("sort=same&of=rlhf", "measure on a method that follows w"),
        ("sort=disagree&shown=mi_epo", "show two methods"),
        ("sort=best&shown=", "show a method"),
    ],
)
def test_an_order_that_nothing_measures_has_no_numbers_and_says_what_it_lacks(explore, link, lacks):
    page = explore(made_up(), f"#{link}")
    assert page.locator("#prompts li .number").count() == 0
    assert lacks in page.locator("#count").inner_text()
    assert listed(page) == [f"prompt {i}" for i in range(6)]


@pytest.mark.parametrize("name", ["constructor", "toString", "__proto__", "hasOwnProperty"])
def test_a_link_names_nothing_that_every_object_has(explore, name):
    page = explore(made_up(), f"#{name}=1")
    assert f"This page has no {name}" in page.locator("#notice").inner_text()
    assert texts(page, "sft")
