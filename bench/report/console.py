"""A section for a terminal: its paragraphs, tables with their notes, and commands; of a picture its table."""

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from ..gate.text import one_line
from .document import Block, Command, Highlights, Paragraph, Picture, Section, Table, Tone

_STYLES = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.CAREFUL: "yellow",
    Tone.BAD: "bold red",
    Tone.QUIET: "dim",
}


def lines(section: Section) -> Iterator[RenderableType]:
    """What to print, in order; nothing in it is markup, and no text of the data has an escape sequence."""
    yield Text(one_line(section.title), "bold")
    yield ""
    for block in section.blocks:
        yield from _lines(block)


def _lines(block: Block) -> Iterator[RenderableType]:
    match block:
        case Paragraph():
            yield Text(f"{one_line(block.text)}\n")
        case Command():
            yield Text(f"{one_line(block.purpose)}:")
            yield Text(f"  {one_line(block.line)}\n", no_wrap=True, overflow="ignore")
        case Highlights():
            for each in block.each:
                yield Text(one_line(f"{each.subject}: {each.answer} ({'; '.join(each.details)})"))
        case Picture():
            yield from _lines(block.table)
        case Table():
            yield _table(block)
            notes = [f"[{number}] {one_line(note)}\n" for number, note in enumerate(block.notes, start=1)]
            yield Text("".join(notes), "dim")


def _table(table: Table) -> RichTable:
    title = Text(one_line(table.caption), "bold")
    made = RichTable(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column, heading in zip(table.columns, table.headings, strict=True):
        made.add_column(Text(one_line(heading)), justify="right" if column.numeric else "left", overflow="fold")
    for row in table.rows:
        made.add_row(*(Text(one_line(cell.text), _STYLES[cell.tone]) for cell in row))
    return made
