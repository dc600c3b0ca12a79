"""The explorer's page: one file that asks nothing of anybody, and runs nothing but its own script."""

import re
from base64 import b64encode
from hashlib import sha256

from moa.reporting.explorer.content import content
from moa.reporting.explorer.packing import packed
from moa.reporting.explorer.page import SCRIPTS, SOURCES, joined, page, source
from support.made_up_responses import made_up


def made_page():
    made = made_up(say=lambda *_: "<img src=x onerror=alert(1)></script>")
    return page(packed(content(made.metrics, made.responses)))


def test_every_source_is_used_and_imports_what_earlier_ones_export():
    assert {path.name for path in SOURCES.iterdir()} == {
        *(f"{name}.js" for name in SCRIPTS),
        *("index.html", "style.css"),
    }
    exported = {}
    for name in SCRIPTS:
        text = source(f"{name}.js")
        imports = re.findall(r'^import \{([^}]*)\} from "\./(\w+)\.js";$', text, re.M)
        assert text.count("import ") == len(imports) + text.count("// import "), name
        for names, other in imports:
            wanted = {each.strip() for each in names.split(",")} - {""}
            assert wanted <= exported[other], (name, other)
        exported[name] = set(re.findall(r"^export (?:async )?(?:const|function) (\w+)", text, re.M))
        assert len(exported[name]) == len(re.findall(r"^export", text, re.M)), name
    assert "\nimport " not in joined() and "\nexport " not in joined()


def test_sources_make_no_markup_of_text():
    text = joined()
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
    ):
        assert way not in text
    assert "</script" not in text and "<!--" not in text and "</style" not in source("style.css")


def test_its_policy_lets_its_own_style_and_script_in_and_nothing_else():
    html = made_page()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'" and "unsafe" not in policy
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.S)
    (script,) = re.findall(r'<script type="module">(.*?)</script>', html, re.S)
    for directive, text in (("style-src", style), ("script-src", script)):
        assert rules[directive] == f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
    assert len(script) > 10_000 and "{{" not in html


def test_it_names_no_address_and_holds_responses_compressed_alone():
    html = made_page()
    assert set(re.findall(r"https?://[^\"'\s]*", html)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(src|href)=", html) and "onerror" not in html
    data = re.findall(r'<script type="application/octet-stream" id="[\w-]+">([^<]*)</script>', html)
    assert len(data) >= 6 and all(re.fullmatch(r"[A-Za-z0-9+/=]+", block) for block in data)
