"""A report as one page of HTML that stands by itself: no script, no address, nothing to load.

Jinja2 escapes every text; the pictures' markup alone goes in as it stands. The page's policy forbids scripts and loads,
so that a browser would refuse even what slipped through.
"""

import functools
from typing import TYPE_CHECKING

from .document import Block, Command, Highlights, Paragraph, Picture, Report, Table
from .fitting import fitted

if TYPE_CHECKING:
    import jinja2
    import markupsafe

MOST_BYTES = 1_000_000
_BESIDE_BLOCKS = 50_000
"""Bytes for the style, the headings and the links."""
_MACROS: dict[type, str] = {
    Paragraph: "paragraph",
    Table: "table",
    Picture: "picture",
    Command: "command",
    Highlights: "highlights",
}


def html(report: Report) -> str:
    """The page, at most `MOST_BYTES` as UTF-8."""
    short = fitted(report, lambda block: len(_markup(block).encode("utf-8", "replace")), MOST_BYTES - _BESIDE_BLOCKS)
    text = _environment().get_template("report.html.j2").render(report=short, markup=_markup)
    return text.encode("utf-8", "replace").decode()  # JSON may name halves of surrogate pairs, which UTF-8 cannot hold


def _markup(block: Block) -> "markupsafe.Markup":
    macros = _environment().get_template("blocks.html.j2").module
    return getattr(macros, _MACROS[type(block)])(block)


@functools.cache
def _environment() -> "jinja2.Environment":
    import jinja2  # takes a tenth of a second, which no other command needs

    return jinja2.Environment(
        loader=jinja2.PackageLoader("technobench.bench.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
