"""Pages that need no other file: headings, paragraphs and tables. All text is data, never markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 90rem; padding: 0 1rem }
h1 { font-size: 1.35rem } h2 { font-size: 1.1rem; margin-top: 2rem }
p, li { max-width: 50rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { border-bottom: 1px solid #8886; padding: .25rem .6rem; text-align: right; white-space: nowrap }
th { border-bottom-width: 2px; vertical-align: bottom }
th.text, td.text { text-align: left } td.long { white-space: normal; min-width: 16rem }
pre, code { font: 13px/1.4 ui-monospace, monospace } pre { overflow-x: auto }
"""
LONG = 60  # characters; longer cells break into lines


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page of parts that the functions below have made."""
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n" + "\n".join([heading(title, 1), *parts]) + "\n</html>\n"
    )


def heading(text: str, level: int = 2) -> str:
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def points(texts: Iterable[str]) -> str:
    """A list; nothing if there are none."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul>{items}</ul>" if items else ""


def code(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


def folded(summary: str, part: str) -> str:
    """A part that a click opens."""
    return f"<details><summary>{escape(summary)}</summary>{part}</details>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], texts: Iterable[int] = (0,)) -> str:
    """texts: the columns that are set to the left."""
    left = set(texts)
    head = "".join(
        f'<th scope="col"{_kind(i in left)}>{escape(c)}</th>' for i, c in enumerate(header)
    )
    body = "\n".join(
        "<tr>"
        + "".join(f"<td{_kind(i in left, c)}>{escape(c)}</td>" for i, c in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def of_markdown(text: str) -> str:
    """A page of what `moa.reporting.tables` writes: titles, tables and paragraphs."""
    blocks = [block for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]
    title = blocks[0].removeprefix("# ")
    return page(title, [_block(block) for block in blocks[1:]])


def _block(block: str) -> str:
    if block.startswith("# "):
        return heading(block.removeprefix("# "))
    if not block.startswith("|"):
        return paragraph(block)
    header, _, *rows = [line[2:-2].split(" | ") for line in block.splitlines()]
    texts = [i for i in range(len(header)) if not any(_is_number(row[i]) for row in rows)]
    return table(header, rows, {0, *texts})


def _is_number(cell: str) -> bool:
    return bool(re.match(r"[-+−]?\d", cell))


def _kind(left: bool, cell: str = "") -> str:
    names = [name for name, so in (("text", left), ("long", len(cell) > LONG)) if so]
    return f' class="{" ".join(names)}"' if names else ""
