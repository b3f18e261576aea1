"""Pattern-table TreeSHAP on the CPU: set-up once per model, then explanations at memory speed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..pipeline.errors import InputError
from ..pipeline.forest import Forest
from ..pipeline.shap_tables import MOST_BYTES, ShapTables, unit_quadrature
from ..pipeline.shapley import paths
from ..pipeline.threshold_codes import ThresholdCodes
from .matrix_rows import Rows, blocks

if TYPE_CHECKING:
    import xgboost

ROWS_PER_STEP = 16
TILE_ROWS = 255 * ROWS_PER_STEP
"""An odd number of steps: rows of a tile a power of two apart would share a few lines of the cache."""
ROWS_AT_A_TIME = 8 * TILE_ROWS
"""Rows of a dense input, or of a streamed answer, that are copied at a time."""


class CompactValues(NamedTuple):
    """Contributions of the features that the model uses; all others have contributions of 0.

    values: float32[n, used features + 1], the bias last.
    features: int32[used features], the columns of the matrix that they belong to.
    """

    values: np.ndarray
    features: np.ndarray


class TopContributions(NamedTuple):
    """The k contributions largest in size of each row, largest first; both are [n, k], values float32."""

    features: np.ndarray
    values: np.ndarray


class _Scratch(NamedTuple):
    """What a tile is worked out in: codes, uint8[columns, rows], and sums, float32[used features + 1, rows]."""

    codes: np.ndarray
    sums: np.ndarray


class TreeShap:
    """Exact path-dependent SHAP values of an XGBoost model, as its ``pred_contribs`` defines them.

    Set-up (tables, compilation where the cache on disk has none) is done when an object is made; it may be used from
    several threads at once.

    What counts as missing is as in XGBoost: in a sparse matrix what is not stored, and NaN; in a NumPy array or a
    pandas frame NaN alone, so that a zero there is the value 0.
    """

    def __init__(self, forest: Forest, codes: ThresholdCodes, tables: ShapTables) -> None:
        """Take what `from_forest` builds."""
        self.forest, self._codes, self._tables = forest, codes, tables
        self.features = forest.used_features
        self.bias = forest.base_margin + _mean_margin(forest)
        uncovered = tables.uncovered_trees
        self._roots = forest.tree_offsets[:-1][uncovered]
        self._depths = _depths(forest)[uncovered]
        self._quadrature = unit_quadrature((int(self._depths.max(initial=0)) + 1) // 2)
        self.shap_values(sp.csr_matrix((1, forest.features), dtype=np.float32))
        self.shap_values(np.zeros((1, forest.features), np.float32))

    @classmethod
    def from_booster(cls, booster: "xgboost.Booster", iteration_range: tuple[int, int] | None = None) -> "TreeShap":
        """Explain all trees of a booster, or those of some boosting rounds (``(0, best_iteration + 1)``).

        Raises:
            UnsupportedModelError: as `Forest.from_model`, or a split of the model has no cover.

        """
        chosen = booster if iteration_range is None else booster[slice(*iteration_range)]
        return cls.from_forest(Forest.from_model(bytes(chosen.save_raw("json"))))

    @classmethod
    def from_forest(cls, forest: Forest, most_table_bytes: int = MOST_BYTES) -> "TreeShap":
        """Explain a forest, with tables of at most so many bytes; trees beyond them are walked, which is slower."""
        codes = ThresholdCodes.of(forest)
        return cls(forest, codes, ShapTables.of(forest, codes, most_table_bytes))

    def shap_values(
        self, matrix: Any, output: Literal["csr", "compact", "dense"] = "csr", with_scores: bool = False
    ) -> Any:
        """Contributions to the margin of each row, float32, the bias last.

        Args:
            matrix: n x features: SciPy sparse, NumPy, or a pandas frame of numbers with its columns in model order.
            output: ``csr``: n x (features + 1), with the used features and the bias stored; ``compact``: a
                `CompactValues`; ``dense``: a NumPy array n x (features + 1).
            with_scores: return also the margins, float64[n], as a pair.

        Raises:
            InputError: the matrix has not as many columns as the model has features, or is not of numbers.

        """
        if output not in ("csr", "compact", "dense"):
            raise InputError(f"output={output!r} is not known; choose csr, compact or dense")
        values = np.empty((matrix.shape[0], len(self.features) + 1), np.float32)
        places = np.empty(values.shape if output == "csr" else (0, 0), _index_type(values.size))
        for start, rows in self._rows(matrix):
            self._explain(rows, values[start : start + rows.length], places[start : start + rows.length])
        answer = self._as(output, values, places)
        return (answer, values.sum(axis=1, dtype=np.float64)) if with_scores else answer

    def top_contributions(self, matrix: Any, k: int) -> TopContributions:
        """The k features that move each row's score most, without the whole answer in memory."""
        k = min(k, len(self.features))
        features = np.empty((matrix.shape[0], k), np.int32)
        values = np.empty((matrix.shape[0], k), np.float32)
        for start, block in self._streamed(matrix):
            block = block[:, :-1]
            largest = np.argpartition(-np.abs(block), k - 1, axis=1)[:, :k] if k else np.empty((len(block), 0), int)
            order = np.argsort(-np.abs(np.take_along_axis(block, largest, axis=1)), axis=1, kind="stable")
            largest = np.take_along_axis(largest, order, axis=1)
            features[start : start + len(block)] = self.features[largest]
            values[start : start + len(block)] = np.take_along_axis(block, largest, axis=1)
        return TopContributions(features, values)

    def mean_absolute(self, matrix: Any) -> np.ndarray:
        """float64[features]: the mean size of each feature's contribution over all rows, in one streaming pass."""
        total = np.zeros(len(self.features))
        for _, block in self._streamed(matrix):
            total += np.abs(block[:, :-1]).sum(axis=0, dtype=np.float64)
        means = np.zeros(self.forest.features)
        means[self.features] = total / max(1, matrix.shape[0])
        return means

    @property
    def _stored_columns(self) -> np.ndarray:
        return np.append(self.features, self.forest.features)

    def _as(self, output: str, values: np.ndarray, places: np.ndarray) -> Any:
        if output == "compact":
            return CompactValues(values, self.features)
        shape = (len(values), self.forest.features + 1)
        if output == "dense":
            dense = np.zeros(shape, np.float32)
            dense[:, self._stored_columns] = values
            return dense
        starts = np.arange(len(values) + 1, dtype=places.dtype) * places.dtype.type(values.shape[1])
        return sp.csr_matrix((values.reshape(-1), places.reshape(-1), starts), shape=shape)

    def _streamed(self, matrix: Any) -> Iterator[tuple[int, np.ndarray]]:
        for first, rows in self._rows(matrix, ROWS_AT_A_TIME):
            values = np.empty((rows.length, len(self.features) + 1), np.float32)
            self._explain(rows, values, np.empty((0, 0), np.int32))
            yield first, values

    def _rows(self, matrix: Any, most_rows: int | None = None) -> Iterator[tuple[int, Rows]]:
        return blocks(matrix, self.forest.features, self.features, ROWS_AT_A_TIME, most_rows)

    def _explain(self, rows: Rows, values: np.ndarray, places: np.ndarray) -> None:
        """Fill ``values``, and their columns in ``places`` unless it is empty, tile by tile."""
        from .kernels.threads import on_threads, thread_count

        # As many tiles on each thread, so that none waits for another's last.
        tiles = -(-rows.length // (TILE_ROWS * thread_count())) * thread_count()
        size = -(-rows.length // (max(1, tiles) * ROWS_PER_STEP)) * ROWS_PER_STEP
        padded = (size // ROWS_PER_STEP | 1) * ROWS_PER_STEP
        columns = self._stored_columns
        idle: list[_Scratch] = []

        def explain(start: int) -> None:
            tile = slice(start, min(start + size, rows.length))
            scratch = idle.pop() if idle else self._scratch(padded)
            self._explain_tile(rows, tile, scratch, values)
            idle.append(scratch)
            if len(places):
                places[tile] = columns

        on_threads(explain, range(0, rows.length, max(1, size)))

    def _scratch(self, rows: int) -> _Scratch:
        coded = np.empty((len(self._codes.feature), rows), np.uint8)
        return _Scratch(coded, np.empty((len(self.features) + 1, rows), np.float32))

    def _explain_tile(self, rows: Rows, tile: slice, scratch: _Scratch, values: np.ndarray) -> None:
        from .kernels.shap_paths import add_paths
        from .kernels.shap_tables import add_tables, write_rows
        from .kernels.threshold_codes import encode_csr, encode_dense

        start, count = tile.start, tile.stop - tile.start
        codes, tables, forest = self._codes, self._tables, self.forest
        coded, sums = scratch
        layout = (codes.columns_of, codes.missing, codes.offsets, codes.thresholds, coded)
        if rows.indptr is None:
            encode_dense(rows.data, start, count, rows.indices, *layout)
        else:
            encode_csr(rows.indptr, rows.indices, rows.data, start, count, *layout)
        sums[:] = 0
        add_tables(
            *(coded, tables.question_offsets, tables.pair_offsets, tables.table_offsets),
            *(tables.column, tables.rank, tables.rare_right, tables.pairs, tables.tables, sums),
        )
        add_paths(
            *(coded, self._roots, self._depths),
            *(forest.feature, forest.left, forest.right, forest.leaf_value, forest.cover, forest.slot),
            *(codes.node_column, codes.node_rank, *self._quadrature, sums),
        )
        write_rows(sums, self.bias, values, start, count)


def _index_type(stored: int) -> type:
    """What SciPy would choose for so many stored values."""
    return np.int64 if stored > np.iinfo(np.int32).max else np.int32


def _mean_margin(forest: Forest) -> float:
    """The mean of the trees' sum by cover, in float64: what is left where no feature is known."""
    from ..pipeline.shapley import cover_ratios

    total = 0.0
    for group in paths(forest):
        total += float(forest.leaf_value[group.leaf].astype(np.float64) @ cover_ratios(forest, group).prod(axis=1))
    return total


def _depths(forest: Forest) -> np.ndarray:
    """int64[trees]: the most splits on a path of each tree."""
    depths = np.zeros(len(forest.tree_offsets) - 1, np.int64)
    for group in paths(forest):
        trees = np.searchsorted(forest.tree_offsets, group.leaf, side="right") - 1
        np.maximum.at(depths, trees, group.depth)
    return depths
