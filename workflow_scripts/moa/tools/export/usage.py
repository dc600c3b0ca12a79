"""usage.py of an exported folder: a program that needs nothing of this repository."""

from __future__ import annotations

import json

from jinja2 import Environment, PackageLoader, StrictUndefined

from moa.models.goals import DECIMALS
from moa.models.readable import MOST_LOST
from moa.models.streams import Stream
from moa.models.tokenizers import NEXT_TURN_MARKERS
from moa.tools.export.exported import ADAPTERS, BASE, Exported


def environment() -> Environment:
    """The templates of this folder; what they name and is not there is an error."""
    found = Environment(
        loader=PackageLoader("moa.tools.export"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Python and Markdown
    )
    found.filters["py"] = json.dumps  # of texts, numbers and lists, which Python reads as well
    return found


def usage(plan: Exported) -> str:
    """The program's text. A way of conditioning is a template of its name, which has `prompt(x, w)`."""
    told = plan.told
    return (
        environment()
        .get_template("usage.py.j2")
        .render(
            told=told,
            generation=told["generation"],
            objectives=told["objectives"],
            merged=plan.merged,
            soup=plan.is_soup,
            w=plan.w,
            example=told["vectors"][len(told["vectors"]) // 2],
            hub_base=plan.hub_base,
            adapters=list(plan.adapters),
            folders={"base": BASE, "adapters": ADAPTERS},
            markers=list(NEXT_TURN_MARKERS),
            stream=int(Stream.EVALUATION),
            goal_decimals=DECIMALS,
            most_lost=MOST_LOST,
        )
    )
