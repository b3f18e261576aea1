"""A first pass over a user's file: how technologies are written, and what the columns are that nobody named."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from ...errors import InputError
from .convert import Form, is_list, is_number, is_text, maybe_numbers, strings, text
from .read import BadCell, Source, no_records
from .roles import Roles

MOST_CATEGORIES = 1000
"""An unnamed column of text with more distinct values than this is ignored."""

DELIMITERS = ("|", ";", ",", "\t", "\n")
"""What a user may have meant, if the delimiter said is found nowhere."""

JOINERS = ("|", "\x1f", "\x1e", "\x1d")
"""What lists are joined with: the first that no name holds. The others are ASCII's own separators."""

PLAUSIBLE_SHARE = 0.05
"""Share of cells that must hold a character before it is taken for the delimiter that the user meant."""


@dataclass
class ColumnSurvey:
    """What was seen of a column without a role."""

    typed: bool
    numeric: bool = True
    values: set[str] = field(default_factory=set)
    refused: str | None = None

    def add(self, array: pa.Array) -> None:
        """See one more batch."""
        kind = array.type
        if self.refused is not None or pa.types.is_null(kind):
            return
        if not (is_number(kind) or is_text(kind) or pa.types.is_boolean(kind)):
            self.refused = f"type {kind}"
            return
        if self.numeric:
            self.numeric = is_number(kind) if self.typed else maybe_numbers(array) is not None
        if len(self.values) <= MOST_CATEGORIES:
            distinct = pc.unique(text(array) if is_text(kind) else array).drop_null()
            self.values.update(strings(distinct).to_pylist())

    def outcome(self) -> tuple[Literal["categorical", "numeric", "ignore"], str]:
        """The kind of the column, and why."""
        if self.refused is not None:
            return "ignore", f"its {self.refused} is neither text nor number"
        if not self.values:
            return "ignore", "it has no values"
        if self.numeric:
            return "numeric", "its values are numbers"
        if len(self.values) > MOST_CATEGORIES:
            return "ignore", f"text with more than {MOST_CATEGORIES:,} distinct values"
        return "categorical", f"text with {len(self.values):,} distinct values"


@dataclass
class TechnologySurvey:
    """What was seen of the technology column.

    cells: with text in them.
    holding: how many of them, or of the names in lists, hold each of `DELIMITERS`, of `JOINERS` and the delimiter said.
    """

    said: str | None
    form: Form | None = None
    cells: int = 0
    holding: dict[str, int] = field(default_factory=dict)

    def add(self, array: pa.Array) -> None:
        """See one more batch."""
        if is_list(array.type):
            self.form = "list"
            if not is_text(array.type.value_type):
                return
            array = array.flatten()
        texts = strings(array)
        texts = texts.filter(pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(texts), ""), False))
        if not len(texts):
            return
        if self.form is None:
            listed = texts[0].as_py().lstrip().startswith("[") and self.said is None
            self.form = "json" if listed else "delimited"
        self.cells += len(texts)
        for mark in {*DELIMITERS, *JOINERS, self.said or "|"}:
            held = pc.match_substring(texts, mark)
            if self.form == "json":
                # A name may hold the mark as an escape; an escape that is not one only makes the choice more careful.
                escape = f"\\u{ord(mark[0]):04x}"
                held = pc.or_(held, pc.match_substring(texts, escape, ignore_case=True))
            self.holding[mark] = self.holding.get(mark, 0) + pc.sum(held, min_count=0).as_py()

    def delimiter(self, path: Path, column: str) -> str:
        """What separates technologies in the dataset's cells.

        Raises:
            InputError: the delimiter said is found nowhere and another one is, or names hold all that could join them.

        """
        if self.form in ("json", "list"):
            return self.said or self._joiner(path, column)
        used = self.said or "|"
        if self.holding.get(used, 0) == 0 and self.cells:
            other = max(DELIMITERS, key=lambda mark: self.holding.get(mark, 0))
            share = self.holding.get(other, 0) / self.cells
            if share >= PLAUSIBLE_SHARE:
                raise InputError(
                    f"{path}, column {column!r}: the delimiter {used!r} is in none of its {self.cells:,} cells, "
                    f"but {other!r} is in {share:.0%} of them; pass --delimiter {other!r}, "
                    "or write the names as JSON lists"
                )
        return used

    def _joiner(self, path: Path, column: str) -> str:
        for mark in JOINERS:
            if self.holding.get(mark, 0) == 0:
                return mark
        raise InputError(
            f"{path}, column {column!r}: names hold each of {', '.join(map(repr, JOINERS))}; "
            "name another --delimiter to join the lists with"
        )


@dataclass(frozen=True)
class Survey:
    """The outcome of the first pass over ``records`` records."""

    records: int
    technologies: TechnologySurvey
    columns: dict[str, ColumnSurvey]


def survey(source: Source, roles: Roles, seen: Callable[[int], None]) -> Survey:
    """Read the whole file once; ``seen`` is called with the number of records seen so far.

    Raises:
        InputError: the file is damaged, has no records, or a column holds what cannot be read as text.

    """
    assert roles.technologies is not None, "checked_roles names the technology column"
    named = roles.by_column()
    technologies = TechnologySurvey(roles.delimiter)
    columns = {name: ColumnSurvey(source.typed) for name in source.names if name not in named}
    records = 0
    for batch in source.batches([roles.technologies, *columns]):
        for name in batch.schema.names:
            try:
                columns.get(name, technologies).add(batch.column(name))
            except BadCell as bad:
                raise located(bad, source, records, name) from None
        records += batch.num_rows
        seen(records)
    if records == 0:
        raise no_records(source.path)
    return Survey(records, technologies, columns)


def located(bad: BadCell, source: Source, first: int, column: str) -> InputError:
    """The error for a bad cell of the batch that begins at record ``first``."""
    where = f"{source.path}" if bad.row is None else source.at(first + bad.row)
    separator = " " if bad.row is None else ": "
    return InputError(f"{where}, column {column!r}{separator}{bad.problem}")
