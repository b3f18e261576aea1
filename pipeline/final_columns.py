"""The columns of a final matrix and what fills each: learned from training records, or told by a model's names.

Records are taken chunk by chunk, so that the raw columns need not be in memory as a whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .datasets.dataset import Column
from .errors import InputError
from .raw_columns import RawColumn
from .stages.features import UNKNOWN_TECHNOLOGIES, category_column, missing_column
from .technologies import normalise

NO_COLUMN = -1


class ColumnsLearner:
    """Learns final columns from training records, as `technobench.pipeline.stages.features` defines them."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Take the raw columns, in the order of the file."""
        self._columns = tuple(columns)
        self._unknown = False
        self._categories: list[set[str]] = [set() for _ in columns]
        self._missing = [False for _ in columns]

    def add(self, raw: Sequence[RawColumn], known: np.ndarray) -> None:
        """Learn from some training records: their raw columns, and bool[n] whether their technologies are known."""
        self._unknown |= not known.all()
        for position, values in enumerate(raw):
            self._missing[position] |= values.null is not None and bool(values.null.any())
            if values.categories is not None:
                self._categories[position] |= values.found()

    def learned(self, technologies: Sequence[str]) -> "FinalColumns":
        """The final columns, ``technologies`` first, in their order."""
        names = list(technologies)

        def added(name: str) -> int:
            names.append(name)
            return len(names) - 1

        unknown = added(UNKNOWN_TECHNOLOGIES) if self._unknown else NO_COLUMN
        sources = []
        for column, found, missing in zip(self._columns, self._categories, self._missing, strict=True):
            numeric = column.kind == "numeric"
            source = Source(
                column,
                number=added(column.name) if numeric else NO_COLUMN,
                categories={value: added(category_column(column.name, value)) for value in sorted(found)},
                missing=added(missing_column(column.name)) if missing else NO_COLUMN,
            )
            sources.append(source)
        here = np.arange(len(technologies), dtype=np.int32)
        return FinalColumns(tuple(names), tuple(technologies), here, unknown, tuple(sources))


@dataclass(frozen=True)
class Source:
    """Final columns that a raw column fills: of its number, of each category, of the mark of nulls; -1 for none."""

    column: Column
    number: int
    categories: Mapping[str, int]
    missing: int

    def filled(self) -> list[int]:
        """All of them."""
        return [self.number, *self.categories.values(), self.missing]


@dataclass(frozen=True)
class FinalColumns:
    """The columns of a final matrix, and what fills each.

    names: the p final columns. technologies: names of technologies that have a column.
    technology_columns: int32[technologies], their final columns. unknown: that of unknown technologies; -1 for none.
    sources: the raw columns, and what they fill.
    """

    names: tuple[str, ...]
    technologies: tuple[str, ...]
    technology_columns: np.ndarray
    unknown: int
    sources: tuple[Source, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The raw columns that are read."""
        return tuple(source.column for source in self.sources)

    def columns_of(self, technologies: Sequence[str]) -> np.ndarray:
        """int32[technologies]: the final column of each of these; -1 for none."""
        column = dict(zip(self.technologies, self.technology_columns.tolist(), strict=True))
        return np.array([column.get(name, NO_COLUMN) for name in technologies], np.int32)

    def in_order_of(self, wanted: Sequence[str]) -> "FinalColumns":
        """The same with the final columns as ``wanted``: those not wanted left out, those not there never filled."""
        place = {name: position for position, name in enumerate(wanted)}
        moved = [place.get(name, NO_COLUMN) for name in self.names] + [NO_COLUMN]  # the last for what is -1 already
        columns = np.array(moved, np.int32)[self.technology_columns]
        kept = np.flatnonzero(columns >= 0)
        return FinalColumns(
            names=tuple(wanted),
            technologies=tuple(self.technologies[position] for position in kept),
            technology_columns=columns[kept],
            unknown=moved[self.unknown],
            sources=tuple(
                Source(
                    source.column,
                    number=moved[source.number],
                    categories={value: moved[column] for value, column in source.categories.items()},
                    missing=moved[source.missing],
                )
                for source in self.sources
            ),
        )


def columns_of_model(names: Sequence[str], columns: Sequence[Column], delimiter: str) -> FinalColumns:
    """The final columns that a model names, told by their names as `technobench.pipeline.stages.features` makes them.

    Args:
        names: the model's p columns, distinct.
        columns: the raw columns. What could be of one of them is taken to be; every other name is a technology's.
        delimiter: separates technologies in a cell, so none holds it.

    Raises:
        InputError: a name could be of two raw columns, or of none and is no technology's either.

    """
    place = {name: position for position, name in enumerate(names)}
    unknown = place.get(UNKNOWN_TECHNOLOGIES, NO_COLUMN)
    sources = tuple(_source_named(column, place) for column in columns)
    filled = [unknown, *(position for source in sources for position in source.filled())]
    taken = {position for position in filled if position != NO_COLUMN}
    if len(taken) < len(filled) - filled.count(NO_COLUMN):
        twice = next(name for name, position in place.items() if filled.count(position) > 1)
        raise InputError(
            f"the model's column {twice!r} could be of two raw columns; rename one of them and train again"
        )
    technologies = sorted(set(names) - {names[position] for position in taken})
    for name in technologies:
        if normalise(name) != name or delimiter in name:
            raise InputError(
                f"the model's column {name!r} is of no raw column, and no technology's name either; "
                "name the raw column that it is of, and its kind"
            )
    places = np.array([place[name] for name in technologies], np.int32)
    return FinalColumns(tuple(names), tuple(technologies), places, unknown, sources)


def _source_named(column: Column, place: Mapping[str, int]) -> Source:
    missing = place.get(missing_column(column.name), NO_COLUMN)
    if column.kind == "numeric":
        return Source(column, place.get(column.name, NO_COLUMN), {}, missing)
    prefix = category_column(column.name, "")
    categories = {name.removeprefix(prefix): place[name] for name in place if name.startswith(prefix)}
    return Source(column, NO_COLUMN, categories, missing)
