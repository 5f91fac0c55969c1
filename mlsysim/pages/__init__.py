"""Pages in files: templates, one style sheet, the palette; everything that is shown is escaped.

A page holds its style and loads nothing, so that it opens anywhere, offline.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from mlsysim.palette import FONT, PALETTE

_MARKED = re.compile(r"\*\*(\S.*?)\*\*|`(?:``\w*\s)?([^`]+?)(?:\s``)?`|\*(\S[^*]*?)\*")
_TAGS = ("strong", "code", "em")


@lru_cache(maxsize=4096)
def marked(text: str) -> Markup:
    """A notebook's text with its emphasis and its code.

    >>> print(marked("take **at most 7** and `x < 2`"))
    take <strong>at most 7</strong> and <code>x &lt; 2</code>
    """

    def tagged(found: re.Match[str]) -> str:
        tag = _TAGS[(found.lastindex or 1) - 1]
        return f"<{tag}>{found[found.lastindex or 1]}</{tag}>"

    return Markup(_MARKED.sub(tagged, str(escape(text))))  # it was escaped


def render(template: str, **facts: Any) -> str:
    """The page that a template (`gallery.html`) makes of facts; a missing one is an error."""
    return _environment().get_template(template).render(facts)


def source(name: str) -> str:
    """The text of a file that needs no filling in, such as a script."""
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


class _Environment(Environment):
    def getattr(self, obj: Any, attribute: str) -> Any:
        """What jinja finds, at once where it is the key of plain data."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


@cache
def _environment() -> Environment:
    held = _Environment(
        loader=PackageLoader("mlsysim", "pages"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    held.globals.update(palette=PALETTE, font=FONT)
    held.globals["style"] = Markup(held.get_template("style.html").render())  # alike on all pages
    held.filters.update(percent="{:.0%}".format, number="{:g}".format, marked=marked)
    return held
