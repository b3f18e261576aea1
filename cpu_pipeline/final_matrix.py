"""The native final matrix: columns learned from training records, then rows filled straight into one CSR matrix.

Both steps take records chunk by chunk, so that neither the raw columns nor the matrix need be in memory as a whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from ..pipeline.datasets.dataset import Column
from ..pipeline.errors import InputError
from ..pipeline.stages.features import UNKNOWN_TECHNOLOGIES, category_column, missing_column
from ..pipeline.stages.matrix_build import row_pointers
from ..pipeline.technologies import normalise
from .raw_columns import RawColumn

_ROWS_FOR_A_THREAD = 1024
"""Fewer rows than this are not worth starting a thread for."""
_NO_COLUMN = -1
_Sources = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


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

        unknown = added(UNKNOWN_TECHNOLOGIES) if self._unknown else _NO_COLUMN
        sources = []
        for column, found, missing in zip(self._columns, self._categories, self._missing, strict=True):
            numeric = column.kind == "numeric"
            source = _Source(
                column,
                number=added(column.name) if numeric else _NO_COLUMN,
                categories={value: added(category_column(column.name, value)) for value in sorted(found)},
                missing=added(missing_column(column.name)) if missing else _NO_COLUMN,
            )
            sources.append(source)
        here = np.arange(len(technologies), dtype=np.int32)
        return FinalColumns(tuple(names), tuple(technologies), here, unknown, tuple(sources))


@dataclass(frozen=True)
class _Source:
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
    sources: tuple[_Source, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The raw columns that are read."""
        return tuple(source.column for source in self.sources)

    def in_order_of(self, wanted: Sequence[str]) -> "FinalColumns":
        """The same with the final columns as ``wanted``: those not wanted left out, those not there never filled."""
        place = {name: position for position, name in enumerate(wanted)}
        moved = [place.get(name, _NO_COLUMN) for name in self.names] + [_NO_COLUMN]  # the last for what is -1 already
        columns = np.array(moved, np.int32)[self.technology_columns]
        kept = np.flatnonzero(columns >= 0)
        return FinalColumns(
            names=tuple(wanted),
            technologies=tuple(self.technologies[position] for position in kept),
            technology_columns=columns[kept],
            unknown=moved[self.unknown],
            sources=tuple(
                _Source(
                    source.column,
                    number=moved[source.number],
                    categories={value: moved[column] for value, column in source.categories.items()},
                    missing=moved[source.missing],
                )
                for source in self.sources
            ),
        )

    def rows(self, raw: Sequence[RawColumn], technologies: sp.csr_matrix, known: np.ndarray) -> sp.csr_matrix:
        """The rows of some records: CSR float32[n, p] without explicit zeros, sorted where the columns are as learned.

        Args:
            raw: their raw columns, in the order of `columns`.
            technologies: CSR of ones, n x ``technologies``.
            known: bool[n], False where the technologies are unknown.

        """
        from .kernels.feature_rows import count_entries, fill_entries
        from .kernels.threads import on_threads, row_slices, thread_count

        filled = _Filled()
        unknown = ~np.asarray(known)
        filled.add_mark(unknown, self.unknown)
        for source, values in zip(self.sources, raw, strict=True):
            filled.add(source, values)
        sources = filled.sources()
        rows = technologies.shape[0]
        parts = row_slices(rows, max(1, min(thread_count(), rows // _ROWS_FOR_A_THREAD)))
        counts = np.diff(technologies.indptr).astype(np.int64)
        on_threads(lambda part: count_entries(part.start, part.stop, *sources, counts), parts)
        starts = row_pointers(counts)
        width = np.int32 if max(starts[-1], len(self.names)) <= np.iinfo(np.int32).max else np.int64
        indices, data = np.empty(starts[-1], width), np.empty(starts[-1], np.float32)
        placed = technologies.indptr, technologies.indices, self.technology_columns

        def fill(part: slice) -> None:
            fill_entries(part.start, part.stop, *sources, *placed, starts, indices, data)

        on_threads(fill, parts)
        return sp.csr_matrix((data, indices, starts), shape=(rows, len(self.names)))


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
    unknown = place.get(UNKNOWN_TECHNOLOGIES, _NO_COLUMN)
    sources = tuple(_source_named(column, place) for column in columns)
    filled = [unknown, *(position for source in sources for position in source.filled())]
    taken = {position for position in filled if position != _NO_COLUMN}
    if len(taken) < len(filled) - filled.count(_NO_COLUMN):
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


def _source_named(column: Column, place: Mapping[str, int]) -> _Source:
    missing = place.get(missing_column(column.name), _NO_COLUMN)
    if column.kind == "numeric":
        return _Source(column, place.get(column.name, _NO_COLUMN), {}, missing)
    prefix = category_column(column.name, "")
    categories = {name.removeprefix(prefix): place[name] for name in place if name.startswith(prefix)}
    return _Source(column, _NO_COLUMN, categories, missing)


@dataclass
class _Filled:
    """What `count_entries` takes for each source of final columns; ``alive`` keeps what the addresses point to."""

    kinds: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    nulls: list[int] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    column_of_code: list[int] = field(default_factory=list)
    alive: list[np.ndarray] = field(default_factory=list)

    def add_mark(self, null: np.ndarray, mark: int) -> None:
        """A mark of nulls alone; nothing where ``mark`` is -1."""
        from .kernels.feature_rows import MARK

        if mark != _NO_COLUMN:
            self._add(MARK, null, null, mark, _NO_COLUMN)

    def add(self, source: _Source, raw: RawColumn) -> None:
        """A raw column."""
        from .kernels.feature_rows import CATEGORICAL, NUMERIC

        if raw.categories is not None:
            self._add(CATEGORICAL, raw.values, raw.null, source.missing, len(self.column_of_code))
            self.column_of_code += [source.categories.get(value, _NO_COLUMN) for value in raw.categories]
        else:
            self._add(NUMERIC, raw.values, raw.null, source.missing, source.number)

    def _add(self, kind: int, values: np.ndarray, null: np.ndarray | None, mark: int, target: int) -> None:
        self.kinds.append(kind)
        self.values.append(values.ctypes.data)
        self.nulls.append(0 if null is None else null.ctypes.data)
        self.marks.append(mark)
        self.targets.append(target)
        self.alive += [values] if null is None else [values, null]

    def sources(self) -> _Sources:
        """The arguments ``kinds`` to ``column_of_code``."""
        kinds, values, nulls, marks, targets = np.array(
            [self.kinds, self.values, self.nulls, self.marks, self.targets], np.int64
        ).reshape(5, -1)
        return kinds, values, nulls, marks, targets, np.array(self.column_of_code, np.int32)
