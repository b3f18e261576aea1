"""Makes a report short enough for one page: cuts what is endless, and shortens what is largest until it fits."""

import dataclasses
import re
from collections.abc import Callable, Iterator

from .document import Block, Cell, Column, Command, Highlight, Highlights, Paragraph, Picture, Report, Section, Table

LONGEST = 1000
"""Characters of one text; a traceback, or a name that is made to harm, may have a million."""
_LONGEST_COMMAND = 8000
_FEW_ROWS = 8
"""A table that is too large with so few rows is left out."""


def fitted(report: Report, size: Callable[[Block], int], most: int) -> Report:
    """The report with every text cut to what is readable, and the largest blocks shortened until all fit.

    Of the largest block a picture leaves its table, a table the first half of its rows, and what is short already goes;
    the page says so. Paragraphs and highlights stay, and of the first section, the answers, some rows of every table.

    Args:
        report: of any size.
        size: bytes of a block as it is written.
        most: bytes of all blocks together.

    """
    sections = [[_cut(block) for block in section.blocks] for section in report.sections]
    left_out = [0] * len(sections)
    sizes = {(i, j): size(block) for i, blocks in enumerate(sections) for j, block in enumerate(blocks)}
    total = sum(sizes.values())
    while total > most:
        removable = [place for place in sizes if not _stays(_at(sections, place), first=place[0] == 0)]
        if not removable:
            break
        place = max(removable, key=lambda place: sizes[place])
        total -= sizes.pop(place)
        shorter = _shorter(_at(sections, place))
        if shorter is None:
            left_out[place[0]] += 1
        else:
            sections[place[0]][place[1]] = shorter
            sizes[place] = size(shorter)
            total += sizes[place]
    return Report(
        _cut_text(report.title),
        _cut_text(report.subtitle),
        tuple(
            Section(section.name, section.title, tuple(_kept(i, blocks, sizes, left_out[i])))
            for i, (section, blocks) in enumerate(zip(report.sections, sections, strict=True))
        ),
    )


def _stays(block: Block, *, first: bool) -> bool:
    short = isinstance(block, Table) and len(block.rows) <= _FEW_ROWS
    return isinstance(block, Paragraph | Highlights) or (first and short)


def _at(sections: list[list[Block]], place: tuple[int, int]) -> Block:
    return sections[place[0]][place[1]]


def _kept(section: int, blocks: list[Block], sizes: dict[tuple[int, int], int], left_out: int) -> Iterator[Block]:
    yield from (block for number, block in enumerate(blocks) if (section, number) in sizes)
    if left_out:
        told = "1 more block is" if left_out == 1 else f"{left_out:,} more blocks are"
        yield Paragraph(f"{told} left out, as the page would be too large; the CSV has a line for every case.")


def _shorter(block: Block) -> Block | None:
    """The block with less in it; None where it should go."""
    if isinstance(block, Picture):
        told = f"{block.description} The picture is left out, as the page would be too large."
        return dataclasses.replace(block.table, notes=(*block.table.notes, told))
    if isinstance(block, Table) and len(block.rows) > _FEW_ROWS:
        half = len(block.rows) // 2
        rows, gone = block.rows[:half], block.rows[half:]
        notes = _notes_of(rows, gone, block.notes)
        return dataclasses.replace(block, rows=rows, notes=notes, left_out=block.left_out + len(gone))
    return None


def _notes_of(rows: tuple, gone: tuple, notes: tuple[str, ...]) -> tuple[str, ...]:
    """The notes without the last ones that only rows that are gone refer to; the others keep their numbers."""
    here, there = _referred_to(rows), _referred_to(gone)
    count = len(notes)
    while count in there - here:
        count -= 1
    return notes[:count]


def _referred_to(rows: tuple[tuple[Cell, ...], ...]) -> set[int]:
    return {int(number) for row in rows for cell in row for number in re.findall(r"\[(\d{1,6})\]", cell.text)}


def _cut(block: Block) -> Block:
    match block:
        case Paragraph():
            return Paragraph(_cut_text(block.text))
        case Command():
            return Command(_cut_text(block.purpose), _cut_text(block.line, _LONGEST_COMMAND))
        case Highlights():
            return Highlights(
                tuple(
                    Highlight(_cut_text(each.subject), _cut_text(each.answer), tuple(map(_cut_text, each.details)))
                    for each in block.each
                )
            )
        case Picture():
            table = _cut(block.table)
            assert isinstance(table, Table)
            return Picture(block.svg, _cut_text(block.description), table)
        case Table():
            return Table(
                block.name,
                _cut_text(block.caption),
                tuple(Column(_cut_text(each.heading), each.unit, each.numeric) for each in block.columns),
                tuple(
                    tuple(dataclasses.replace(cell, text=_cut_text(cell.text)) for cell in row) for row in block.rows
                ),
                tuple(map(_cut_text, block.notes)),
                block.left_out,
            )


def _cut_text(text: str, longest: int = LONGEST) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest]} … ({len(text) - longest:,} characters more)"
