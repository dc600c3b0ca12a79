"""How large a response explorer is, and how soon it shows what is asked for, in Chromium.

    python benchmarks/explorer_page.py [results/<config>/<task>/explorer.html] [--rounds 5]

Without a page, one of made-up responses: 200 prompts, 11 vectors, 7 methods, 2 seeds, 64 words each, as
frequent as in English. Needs Playwright and Chromium, and says so where they are not. Prints

- `mb`: the size of the file;
- `seconds_first_view`: from the start of loading to the first picture with everything in it, the median;
- `seconds_move`, `seconds_move_most`: from a move of the preference to the picture after it;
- `seconds_prompt_most`: the same for another prompt, whose texts may have to be unpacked;
- `seconds_order_most`: the same for another order of the prompts;
- `cpu_...`: what the page's main thread computed of these, which other work here does not lengthen.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from moa.reporting.explorer.content import content
from moa.reporting.explorer.packing import packed
from moa.reporting.explorer.page import page
from support.browser import chromium
from support.made_up_responses import made_up

# In the page: when everything was there, and how long something takes until it is seen.
WATCH = """
  addEventListener("DOMContentLoaded", () => {
    const now = () => { window.shown ??= performance.now(); };
    const seen = () => requestAnimationFrame(() => setTimeout(now));
    const root = document.documentElement;
    if (root.dataset.ready) seen();
    else new MutationObserver(() => root.dataset.ready && seen()).observe(root, { attributes: true });
  });
"""
SEEN = """async () => {
  while (!window.shown) await new Promise(requestAnimationFrame);
  return window.shown / 1000;
}"""
TIMED = """async () => {
  const start = performance.now();
  %s;
  do await new Promise((next) => requestAnimationFrame(() => setTimeout(next)));
  while (document.querySelector("#responses").ariaBusy === "true");
  return (performance.now() - start) / 1000;
}"""


def large_page(prompts: int = 200, methods: int = 7, seeds: int = 2, words: int = 64) -> str:
    """An explorer of made-up responses."""
    rng = np.random.default_rng(0)
    rank = np.arange(1, 5001)
    known = np.array(["".join(rng.choice(list("etaoinshrdlu"), 2 + i % 9)) for i in rank])
    share = (1 / rank) / (1 / rank).sum()
    drawn = known[rng.choice(len(known), (prompts * 11 * methods * seeds, words), p=share)]
    texts = iter(map(" ".join, drawn))
    runs = [f"method_{i}" for i in range(methods)]
    made = made_up(prompts=prompts, seeds=seeds, runs=runs, say=lambda *_: next(texts))
    return page(packed(content(made.metrics, made.responses)))


def measure(browser: Any, file: Path, rounds: int) -> dict[str, float]:
    """The figures of one page."""
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        view, busy = watched(browser, file)
        found["first_view"].append(view.evaluate(SEEN))
        found["cpu_first_view"].append(busy())

        def act(what: str, script: str, view: Any = view, busy: Any = busy) -> None:
            before = busy()
            found[what].append(view.evaluate(TIMED % script))
            found[f"cpu_{what}"].append(busy() - before)

        for to in range(view.evaluate("+w.max + 1")):
            act("move", f"w.value = {to}; w.dispatchEvent(new Event('input'))")
        rows = view.locator("#prompts li").count()
        for row in range(0, rows, max(1, rows // 10)):
            act("prompt", f"document.querySelectorAll('#prompts li')[{row}].click()")
        for order in ("disagree", "same", "best"):
            act("order", f"sort.value = '{order}'; sort.dispatchEvent(new Event('change'))")
        view.context.close()
    return {
        "mb": file.stat().st_size / 1e6,
        "seconds_first_view": statistics.median(found["first_view"]),
        "cpu_first_view": statistics.median(found["cpu_first_view"]),
        "seconds_move": statistics.median(found["move"]),
        "seconds_move_most": max(found["move"]),
        "cpu_move_most": max(found["cpu_move"]),
        "seconds_prompt_most": max(found["prompt"]),
        "cpu_prompt_most": max(found["cpu_prompt"]),
        "seconds_order_most": max(found["order"]),
        "cpu_order_most": max(found["cpu_order"]),
    }


def watched(browser: Any, file: Path) -> tuple[Any, Callable[[], float]]:
    """An opened page, and what tells how many seconds its main thread has computed."""
    view = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    session = view.context.new_cdp_session(view)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))

    view.add_init_script(WATCH)
    view.goto(file.as_uri())
    return view, busy


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, nargs="?", help="an explorer.html of two objectives")
    parser.add_argument("--rounds", type=int, default=5, help="how often it is opened")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder, chromium() as browser:
            file = args.page
            if file is None:
                file = Path(folder) / "explorer.html"
                file.write_text(large_page(), encoding="utf-8")
            for name, value in measure(browser, file.resolve(), args.rounds).items():
                print(f"{name} = {value:.4g}")
    except pytest.skip.Exception as missing:
        sys.exit(f"this benchmark {missing}")


if __name__ == "__main__":
    main()
