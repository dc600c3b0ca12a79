"""How large a response explorer is, and how soon it shows what is asked for, in Chromium.

    python benchmarks/explorer_page.py [results/<config>/<task>/explorer.html] [--rounds 5]

Without a page, one of made-up responses: 200 prompts, 11 vectors, 7 methods, 2 seeds, 64 words each, as
frequent as in English. Needs Playwright and Chromium, and says so where they are not. Prints

- `mb`: the size of the file;
- `seconds_first_view`: from the start of loading to the first picture with everything in it, the median;
- `seconds_move`, `seconds_move_most`: from a move of the preference to the picture after it;
- `seconds_prompt_most`: the same for another prompt, whose texts may have to be unpacked;
- `seconds_order_most`: the same for another order of the prompts.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from moa.reporting.explorer.content import content
from moa.reporting.explorer.packing import packed
from moa.reporting.explorer.page import page
from support.browser import Watched, chromium
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
    first, moves, prompts, orders = [], [], [], []
    for _ in range(rounds):
        view = Watched(browser).open(file, watch=WATCH, viewport={"width": 1440, "height": 900})
        first.append(view.evaluate(SEEN))

        def timed(act: str, view: Any = view) -> float:
            return float(view.evaluate(TIMED % act))

        stops = view.evaluate("document.querySelectorAll('#w[type=range]').length && +w.max + 1")
        for to in range(stops):
            moves.append(timed(f"w.value = {to}; w.dispatchEvent(new Event('input'))"))
        rows = view.locator("#prompts li").count()
        for row in range(0, rows, max(1, rows // 10)):
            prompts.append(timed(f"document.querySelectorAll('#prompts li')[{row}].click()"))
        for order in ("disagree", "same", "best"):
            orders.append(timed(f"sort.value = '{order}'; sort.dispatchEvent(new Event('change'))"))
        view.context.close()
    return {
        "mb": file.stat().st_size / 1e6,
        "seconds_first_view": statistics.median(first),
        "seconds_move": statistics.median(moves),
        "seconds_move_most": max(moves),
        "seconds_prompt_most": max(prompts),
        "seconds_order_most": max(orders),
    }


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, nargs="?", help="an explorer.html of two objectives")
    parser.add_argument("--rounds", type=int, default=5, help="how often it is opened")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        file = args.page
        if file is None:
            file = Path(folder) / "explorer.html"
            file.write_text(large_page(), encoding="utf-8")
        for name, value in measure(browser, file.resolve(), args.rounds).items():
            print(f"{name} = {value:.4g}")


if __name__ == "__main__":
    main()
