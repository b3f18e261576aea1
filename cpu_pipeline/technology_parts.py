"""Numbered rows, part by part, to one technology matrix, in memory for little more than the matrix."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..pipeline.stages.matrix_build import MatrixAnswer, csr_of_ones
from .technology_items import NumberedRows

_ROWS_TO_SORT = 1 << 13
"""Rows that a thread sorts at a time."""


class Part(NamedTuple):
    """Consecutive rows, and int32[items], numbers of the names of the items that they hold; -1 for no name."""

    rows: NumberedRows
    name_of_item: np.ndarray


class _Slice(NamedTuple):
    """Rows from ``first`` on.

    starts: int64[rows + 1], where each row begins in the tokens of all parts. name_of_item: as that of the `Part`.
    """

    first: int
    starts: np.ndarray
    name_of_item: np.ndarray


class PartsInOrder:
    """The tokens of all parts in one array, which becomes the matrix's indices where it lies."""

    def __init__(self, parts: Iterable[Part]) -> None:
        """Take the parts one by one; none is kept."""
        self._tokens, self._used = np.empty(0, np.int32), 0
        self._known: list[np.ndarray] = []
        self._slices: list[_Slice] = []
        rows = 0
        for part in parts:
            starts = part.rows.row_starts + self._used
            for first in range(0, len(part.rows.known), _ROWS_TO_SORT):
                ends = starts[first : first + _ROWS_TO_SORT + 1]
                self._slices.append(_Slice(rows + first, ends, part.name_of_item))
            rows += len(part.rows.known)
            self._known.append(part.rows.known)
            self._append(part.rows.tokens)

    def answer(self, names: Sequence[str], column_of_name: np.ndarray | None) -> MatrixAnswer:
        """The matrix over a vocabulary; the parts are used up.

        Args:
            names: the vocabulary.
            column_of_name: int32, columns of the parts' names by their numbers, or None where these are the same; a
                column beyond the vocabulary is that of an unseen name.

        """
        from .kernels.technology_rows import sort_rows
        from .kernels.threads import on_threads

        known = np.concatenate([np.zeros(0, bool), *self._known])
        pointers = np.zeros(len(known) + 1, np.int64)
        # One entry more, for items that are no name.
        columns = None if column_of_name is None else np.append(column_of_name, np.int32(-1))

        def sort(part: _Slice) -> int:
            ends = pointers[part.first + 1 : part.first + len(part.starts)]
            column_of_item = part.name_of_item if columns is None else columns[part.name_of_item]
            return sort_rows(self._tokens, part.starts, column_of_item, len(names), ends)

        unseen = sum(on_threads(sort, self._slices))
        self._close_gaps(pointers)
        return MatrixAnswer(csr_of_ones(self._tokens, pointers, len(names)), tuple(names), known, unseen)

    def _append(self, tokens: np.ndarray) -> None:
        used = self._used + len(tokens)
        if used > len(self._tokens):
            # Grows where it lies, or its pages are moved; nothing else refers to it.
            self._tokens.resize(max(used, self._used + self._used // 8), refcheck=False)
        self._tokens[self._used : used] = tokens
        self._used = used

    def _close_gaps(self, pointers: np.ndarray) -> None:
        """Move the columns of each slice to the end of those before it; adapt where its rows end."""
        kept = 0
        for part in self._slices:
            ends = pointers[part.first + 1 : part.first + len(part.starts)]
            start, end = int(part.starts[0]), int(ends[-1])
            if start > kept:
                self._tokens[kept : kept + end - start] = self._tokens[start:end]
                ends -= start - kept
            kept += end - start
        self._tokens.resize(kept, refcheck=False)
