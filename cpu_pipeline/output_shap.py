"""Pattern-table TreeSHAP of one output, tile by tile: the core of `tree_shap`."""

from typing import NamedTuple

import numpy as np

from ..pipeline.forest import Forest
from ..pipeline.shap_tables import ShapTables, unit_quadrature
from ..pipeline.shapley import cover_ratios, paths
from ..pipeline.threshold_codes import ThresholdCodes
from .matrix_rows import Rows


class Scratch(NamedTuple):
    """What a tile is worked out in: codes, uint8[columns, rows], and sums, float32[used features + 1, rows]."""

    codes: np.ndarray
    sums: np.ndarray


class OutputShap:
    """The explanations of a forest of one output; `TreeShap` has one for each of its outputs.

    forest: the output's trees. features: int32, the columns that they use. bias: the mean margin.
    """

    def __init__(self, forest: Forest, most_table_bytes: int) -> None:
        """Fill tables of at most so many bytes; trees beyond them are walked."""
        self.forest, self.features = forest, forest.used_features
        self._codes = ThresholdCodes.of(forest)
        self._tables = ShapTables.of(forest, self._codes, most_table_bytes)
        self.bias = float(forest.base_margin[0]) + _mean_margin(forest)
        uncovered = self._tables.uncovered_trees
        self._roots = forest.tree_offsets[:-1][uncovered]
        self._depths = _depths(forest)[uncovered]
        self._quadrature = unit_quadrature((int(self._depths.max(initial=0)) + 1) // 2)

    @property
    def table_bytes(self) -> int:
        """Bytes that the tables take."""
        return self._tables.tables.nbytes

    @property
    def scratch_shape(self) -> tuple[int, int]:
        """Rows of `Scratch.codes` and of `Scratch.sums` that this output needs."""
        return len(self._codes.feature), len(self.features) + 1

    def explain(self, rows: Rows, tile: slice, scratch: Scratch, values: np.ndarray, first_column: int) -> None:
        """Fill used features + 1 columns of ``values``, the bias last, for a tile of the rows of a block.

        values: float32[rows of the block, columns]; scratch: at least as large as `scratch_shape` says.
        """
        from .kernels.shap_paths import add_paths
        from .kernels.shap_tables import add_tables, write_rows
        from .kernels.threshold_codes import encode_csr, encode_dense

        start, count = tile.start, tile.stop - tile.start
        codes, tables, forest = self._codes, self._tables, self.forest
        columns, used = self.scratch_shape
        coded, sums = scratch.codes[:columns], scratch.sums[:used]
        if rows.indptr is None:
            encode_dense(rows.data, start, count, rows.indices, *codes.layout, coded)
        else:
            encode_csr(rows.indptr, rows.indices, rows.data, start, count, *codes.layout, coded)
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
        write_rows(sums, self.bias, values, start, count, first_column)


def _mean_margin(forest: Forest) -> float:
    """The mean of the trees' sum by cover, in float64: what is left where no feature is known."""
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
