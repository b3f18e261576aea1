"""A report as Markdown, for a job's summary: the same sections and tables; of a picture its table.

GitHub Flavored Markdown (0.29); whatever a text holds stays text: no markup, link, mention or cell of its own.
"""

import re
from collections.abc import Iterable, Iterator

from ..gate.text import fenced, one_line
from .document import Block, Command, Highlight, Highlights, Paragraph, Picture, Report, Table
from .fitting import fitted

MOST_BYTES = 1_000_000
"""A job's summary may have a mebibyte."""
_BESIDE_BLOCKS = 10_000
_SPECIAL = re.compile(r"[\\`*~#$!&<>|\[\]]|(?<![^\W_])_|_(?![^\W_])")
"""What may be markup; an underscore within a word is none."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;", "[": "&#91;", "]": "&#93;"}
"""For those that a backslash does not help with everywhere, as in a cell."""
_NOTHING = "\u200b"
"""A space without a width: behind it a name is no mention, and an address no link."""


def markdown(report: Report) -> str:
    """The text, at most `MOST_BYTES` as UTF-8."""
    short = fitted(report, lambda block: len(_text(block).encode("utf-8", "replace")), MOST_BYTES - _BESIDE_BLOCKS)
    parts = [f"# {escaped(short.title)}", _line(short.subtitle)]
    for section in short.sections:
        parts += [f"## {escaped(section.title)}", *map(_text, section.blocks)]
    return ("\n\n".join(parts) + "\n").encode("utf-8", "replace").decode()


def escaped(text: str) -> str:
    """Text that means itself within a line or a cell."""
    found = _SPECIAL.sub(lambda match: _ENTITIES.get(match[0], f"\\{match[0]}"), one_line(text))
    return re.sub(r"@(?=\w)|://|www\.", rf"\g<0>{_NOTHING}", found, flags=re.IGNORECASE)


def _line(text: str) -> str:
    """Text that means itself, also at the beginning of a line: no item of a list, no rule."""
    return re.sub(r"^(?=[-+=]|\d+[.)])", _NOTHING, escaped(text))


def _text(block: Block) -> str:
    match block:
        case Paragraph():
            return _line(block.text)
        case Command():
            return "\n".join([f"{_line(block.purpose)}:", "", *fenced(block.line)])
        case Highlights():
            return "\n".join(map(_item, block.each))
        case Picture():
            return f"{_line(block.description)}\n\n{_text(block.table)}"
        case Table():
            return "\n".join(_lines(block))


def _item(highlight: Highlight) -> str:
    details = escaped("; ".join(highlight.details))
    return f"- {escaped(highlight.subject)}: **{escaped(highlight.answer)}**, {details}"


def _lines(table: Table) -> Iterator[str]:
    yield f"**{escaped(table.caption)}**"
    yield ""
    yield _row(table.headings)
    yield "|" + "|".join("---:" if column.numeric else "---" for column in table.columns) + "|"
    for row in table.rows:
        yield _row(cell.text for cell in row)
    if table.left_out:
        yield ""
        yield f"{table.left_out:,} more rows are left out for room; the CSV has a line for every case."
    if table.notes:
        yield ""
        yield from (f"{number}. {_line(note)}" for number, note in enumerate(table.notes, start=1))


def _row(texts: Iterable[str]) -> str:
    return f"| {' | '.join(map(escaped, texts))} |"
