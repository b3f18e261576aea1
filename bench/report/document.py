"""What a report is made of, whatever it is written as: sections of paragraphs, tables, and pictures with their tables.

All text is plain: what writes it escapes it. A picture's markup alone is inserted as it stands; whatever draws one
escapes what comes from data.
"""

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """How a cell is meant; what writes it chooses colours."""

    PLAIN = "plain"
    GOOD = "good"
    CAREFUL = "careful"
    BAD = "bad"
    QUIET = "quiet"


@dataclass(frozen=True)
class Cell:
    """A cell: what is shown; for a spreadsheet the number behind it, in the column's unit."""

    text: str
    value: float | None = None
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Column:
    """A column. unit: of its cells' values (``s``, ``MiB``, ``x``), empty for none. numeric: aligned to the right."""

    heading: str
    unit: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    name: a file's name would do. notes: below it, numbered from 1 as cells refer to them (``[1]``).
    left_out: rows that it has no room for.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    left_out: int = 0

    @property
    def headings(self) -> tuple[str, ...]:
        """Of each column, with the unit where its cells are bare numbers; ``30.5 ms`` has its own."""
        found = []
        for number, column in enumerate(self.columns):
            texts = (row[number].text for row in self.rows if row[number].value is not None)
            bare = column.unit and not any(letter.isalpha() for text in texts for letter in text)
            found.append(f"{column.heading} [{column.unit}]" if bare else column.heading)
        return tuple(found)


@dataclass(frozen=True)
class Picture:
    """An SVG that stands by itself, what it shows in a sentence, and the same as a table."""

    svg: str
    description: str
    table: Table


@dataclass(frozen=True)
class Paragraph:
    """Some sentences."""

    text: str


@dataclass(frozen=True)
class Command:
    """What to type to repeat or to go further, with a word on what it does."""

    purpose: str
    line: str


@dataclass(frozen=True)
class Highlight:
    """An answer at a glance: what it is of, the answer, and what to know with it, a few words each."""

    subject: str
    answer: str
    details: tuple[str, ...]


@dataclass(frozen=True)
class Highlights:
    """Some answers side by side; the tables below them have more."""

    each: tuple[Highlight, ...]


Block = Paragraph | Table | Picture | Command | Highlights


@dataclass(frozen=True)
class Section:
    """A section. name: its anchor."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """A report; the first section is the answers."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
