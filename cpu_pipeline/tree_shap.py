"""Pattern-table TreeSHAP on the CPU: set-up once per model, then explanations at memory speed."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..pipeline.errors import InputError
from ..pipeline.forest import Forest
from ..pipeline.shap_cells import ShapCells
from .cell_sums import ROWS_PER_STEP, CellSums, by_tiles
from .matrix_rows import Rows, blocks
from .tree_explainer import TreeExplainer

TILE_ROWS = 255 * ROWS_PER_STEP
ROWS_AT_A_TIME = 8 * TILE_ROWS
"""Rows of a dense input, or of values that are added up, that are held at a time."""


class CompactValues(NamedTuple):
    """Contributions of the features that the model uses; all others have contributions of 0.

    values: float32[n, used features + 1], the bias last; [n, outputs, used features + 1] for more than one output.
    features: int32[used features], the columns of the matrix that they belong to.
    """

    values: np.ndarray
    features: np.ndarray


class TopContributions(NamedTuple):
    """The k contributions largest in size of each row, largest first; values are float32.

    Both are [n, k], or [n, outputs, k] for more than one output.
    """

    features: np.ndarray
    values: np.ndarray


class TreeShap(TreeExplainer):
    """Exact path-dependent SHAP values of an XGBoost model, as its ``pred_contribs`` defines them.

    Set-up (tables, compilation where the cache on disk has none) is done when an object is made; it may be used from
    several threads at once.

    What counts as missing is as in XGBoost: in a sparse matrix what is not stored, and NaN; in a NumPy array or a
    pandas frame NaN alone, so that a zero there is the value 0. A categorical feature is the codes that the model was
    trained on.

    A model of more than one output (classes, targets) is explained output by output.
    """

    def __init__(self, forest: Forest, outputs: list[CellSums]) -> None:
        """Take what `from_forest` builds."""
        super().__init__(forest, outputs)
        # Each output has its used features and its bias in columns of one array, from this one on.
        self._first_columns = np.cumsum([0, *(len(output.features) + 1 for output in outputs)]).tolist()
        self._stored_columns = self._columns_in(np.arange(forest.features))
        self._largest_first = [_by_cover(output.forest) for output in outputs]
        self.shap_values(sp.csr_matrix((1, forest.features), dtype=np.float32))
        self.shap_values(np.zeros((1, forest.features), np.float32))
        self.top_contributions(sp.csr_matrix((1, forest.features), dtype=np.float32), 1)

    @staticmethod
    def _cells_of(forest: Forest) -> ShapCells:
        return ShapCells.of_features(forest)

    def shap_values(
        self, matrix: Any, output: Literal["csr", "compact", "dense"] = "csr", with_scores: bool = False
    ) -> Any:
        """Contributions to the margins of each row, float32, the bias last.

        Args:
            matrix: n x features: SciPy sparse, NumPy, or a pandas frame of numbers with its columns in model order.
            output: ``csr``: n x (features + 1), with the used features and the bias stored; for more than one output
                n x outputs * (features + 1), one output behind the other; ``compact``: a `CompactValues`; ``dense``:
                a NumPy array n x (features + 1), or n x outputs x (features + 1).
            with_scores: return also the margins, float64[n] or [n, outputs], as a pair.

        Raises:
            InputError: the matrix has not as many columns as the model has features, or is not of numbers.

        """
        if output not in ("csr", "compact", "dense"):
            raise InputError(f"output={output!r} is not known; choose csr, compact or dense")
        values = np.empty((matrix.shape[0], self._first_columns[-1]), np.float32)
        kind = index_type(max(values.size, self.forest.outputs * (self.forest.features + 1)))
        places = np.empty(values.shape if output == "csr" else (0, 0), kind)
        for start, rows in self._rows(matrix):
            self._explain(rows, values[start : start + rows.length], places[start : start + rows.length])
        answer = self._as(output, values, places)
        return (answer, self._scores(values)) if with_scores else answer

    def top_contributions(self, matrix: Any, k: int, with_scores: bool = False) -> Any:
        """The k features that move each row's score most, without the whole answer in memory.

        Args:
            matrix: as in `shap_values`.
            k: how many; all used features where the model uses fewer.
            with_scores: return also the margins, float64[n] or [n, outputs], as a pair with the `TopContributions`.

        Raises:
            InputError: as `shap_values`, or k is negative.

        """
        from .kernels.top_contributions import write_top

        if k < 0:
            raise InputError(f"k={k} is negative; ask for so many contributions of each row as you want to see")
        outputs, k = self._outputs, min(k, len(self.features))
        shape = matrix.shape[0], len(outputs)
        features, values = np.empty((*shape, k), np.int32), np.zeros((*shape, k), np.float32)
        margins = np.empty(shape)
        for number, output in enumerate(outputs):
            # What only other outputs use contributes nothing to this one, and comes last.
            used = min(k, len(output.features))
            features[:, number, used:] = np.setdiff1d(self.features, output.features)[: k - used]
        for first, rows in self._rows(matrix):

            def write(number: int, tile: slice, sums: np.ndarray, first: int = first) -> None:
                own, place = outputs[number], (first + tile.start, tile.stop - tile.start, number)
                write_top(sums, own.bias, own.features, self._largest_first[number], features, values, margins, *place)

            by_tiles(outputs, rows, TILE_ROWS, write)
        shape = matrix.shape[0], *self._each_output
        top = TopContributions(features.reshape(*shape, k), values.reshape(*shape, k))
        return (top, margins.reshape(shape)) if with_scores else top

    def mean_absolute(self, matrix: Any) -> np.ndarray:
        """float64[features], or [outputs, features]: the mean size of contributions over all rows, in one pass."""
        total = np.zeros((*self._each_output, len(self.features)))
        for _, rows in self._rows(matrix, ROWS_AT_A_TIME):
            values = np.empty((rows.length, self._first_columns[-1]), np.float32)
            self._explain(rows, values, np.empty((0, 0), np.int32))
            total += np.abs(self._compact(values)[..., :-1]).sum(axis=0, dtype=np.float64)
        means = np.zeros((*self._each_output, self.forest.features))
        means[..., self.features] = total / max(1, matrix.shape[0])
        return means

    def _columns_in(self, features: np.ndarray) -> np.ndarray:
        """int64: where the columns of ``values`` belong, if each output has the given features and a bias, in order."""
        each = [np.append(np.searchsorted(features, own.features), len(features)) for own in self._outputs]
        return np.concatenate([number * (len(features) + 1) + places for number, places in enumerate(each)])

    def _as(self, output: str, values: np.ndarray, places: np.ndarray) -> Any:
        if output == "compact":
            return CompactValues(self._compact(values), self.features)
        width = self.forest.features + 1
        shape = (len(values), len(self._outputs) * width)
        if output == "dense":
            dense = np.zeros(shape, np.float32)
            dense[:, self._stored_columns] = values
            return dense.reshape(len(values), *self._each_output, width)
        starts = np.arange(len(values) + 1, dtype=places.dtype) * places.dtype.type(values.shape[1])
        return sp.csr_matrix((values.reshape(-1), places.reshape(-1), starts), shape=shape)

    def _compact(self, values: np.ndarray) -> np.ndarray:
        """``values`` with the same features for all outputs."""
        if len(self._outputs) == 1:
            return values
        compact = np.zeros((len(values), len(self._outputs), len(self.features) + 1), np.float32)
        compact.reshape(len(values), -1)[:, self._columns_in(self.features)] = values
        return compact

    def _scores(self, values: np.ndarray) -> np.ndarray:
        bounds = zip(self._first_columns[:-1], self._first_columns[1:], strict=True)
        scores = [values[:, start:end].sum(axis=1, dtype=np.float64) for start, end in bounds]
        return scores[0] if len(scores) == 1 else np.column_stack(scores)

    def _rows(self, matrix: Any, most_rows: int | None = None) -> Iterator[tuple[int, Rows]]:
        return blocks(matrix, self.forest.features, self.features, ROWS_AT_A_TIME, most_rows)

    def _explain(self, rows: Rows, values: np.ndarray, places: np.ndarray) -> None:
        """Fill ``values``, and their columns in ``places`` unless it is empty."""
        from .kernels.shap_tables import write_rows

        def write(number: int, tile: slice, sums: np.ndarray) -> None:
            columns = slice(*self._first_columns[number : number + 2])
            write_rows(sums, self._outputs[number].bias, values, tile.start, tile.stop - tile.start, columns.start)
            if len(places):
                places[tile, columns] = self._stored_columns[columns]

        by_tiles(self._outputs, rows, TILE_ROWS, write)


def index_type(largest: int) -> type:
    """What SciPy would choose for so many stored values, or columns."""
    return np.int64 if largest > np.iinfo(np.int32).max else np.int32


def _by_cover(forest: Forest) -> np.ndarray:
    """int64[used features]: their positions, those first whose splits met most records; they tend to count most."""
    split = forest.feature >= 0
    return np.argsort(-np.bincount(forest.slot[split], forest.cover[split], len(forest.used_features)), kind="stable")
