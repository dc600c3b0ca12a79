"""The page as one file: its sources in page/, inlined, and its data.

What a policy said is in the data alone, compressed, and the page shows it as text; so no response can be
markup. The page's policy (Content-Security-Policy) names the digests of its one style and its one script,
so nothing else is run, and nothing is asked of a network.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

SOURCES = Path(__file__).parent / "page"
# In this order they become one script: a file imports only from those before it.
SCRIPTS = (
    "dom",
    "data",
    "state",
    "measures",
    "preference",
    "runs",
    "front",
    "distributions",
    "prompts",
    "responses",
    "main",
)
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:const|function) (\w+))", re.MULTILINE)


def page(blocks: Mapping[str, str]) -> str:
    """The page that shows some blocks of data (`moa/reporting/explorer/packing.py`)."""
    style, script = source("style.css"), joined()
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )
    data = "\n".join(
        f'<script type="application/octet-stream" id="{name}">{block}</script>'
        for name, block in blocks.items()
    )
    html = source("index.html")
    for name, text in {"policy": policy, "style": style, "data": data, "script": script}.items():
        html = html.replace(f"{{{{{name}}}}}", text, 1)
    return html


def joined() -> str:
    """All scripts as one: each file in a scope of its own, which returns what it exports."""
    parts = []
    for name in SCRIPTS:
        text = source(f"{name}.js")
        exports = ", ".join(_EXPORT.findall(text))
        body = _EXPORT.sub("", _IMPORT.sub(r"const \1 = $\2;", text))
        parts.append(
            f"const ${name} = await (async () => {{\n{body}return {{ {exports} }};\n}})();\n"
        )
    return "".join(parts)


def source(name: str) -> str:
    return (SOURCES / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
