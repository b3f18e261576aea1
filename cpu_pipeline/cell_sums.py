"""The cells of rows, tile by tile: the core of `tree_shap` and `shap_interactions`."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..pipeline.forest import Forest
from ..pipeline.quadrature import unit_quadrature
from ..pipeline.shap_cells import ShapCells
from ..pipeline.shap_tables import ShapTables
from ..pipeline.shapley import mean_margin, paths
from ..pipeline.threshold_codes import ThresholdCodes
from .matrix_rows import Rows

ROWS_PER_STEP = 16


class _Scratch(NamedTuple):
    """What a tile is worked out in: codes, uint8[columns, rows], and sums, float32[cells + 1, rows]."""

    codes: np.ndarray
    sums: np.ndarray


class CellSums:
    """What the trees of one output give to each cell of `ShapCells`.

    forest: the output's trees. features: int32, the columns that they use. cells: theirs. bias: the mean margin.
    """

    def __init__(self, forest: Forest, cells: ShapCells, most_table_bytes: int) -> None:
        """Fill tables of at most so many bytes; trees beyond them are walked.

        Raises:
            UnsupportedModelError: as `ShapTables.of`.

        """
        self.forest, self.cells, self.features = forest, cells, forest.used_features
        self._codes = ThresholdCodes.of(forest)
        self._tables = ShapTables.of(forest, self._codes, most_table_bytes, cells)
        self.bias = float(forest.base_margin[0]) + mean_margin(forest)
        uncovered = self._tables.uncovered_trees
        self._roots = forest.tree_offsets[:-1][uncovered]
        self._depths = _depths(forest)[uncovered]
        self._quadrature = unit_quadrature((int(self._depths.max(initial=0)) + 1) // 2)

    @classmethod
    def of_outputs(
        cls, forest: Forest, cells_of: Callable[[Forest], ShapCells], most_table_bytes: int
    ) -> "list[CellSums]":
        """One for each output of a forest, which share the bytes of tables."""
        outputs: list[CellSums] = []
        for number in range(forest.outputs):
            own = forest.of_output(number)
            outputs.append(cls(own, cells_of(own), most_table_bytes // (forest.outputs - number)))
            most_table_bytes -= outputs[-1].table_bytes
        return outputs

    @property
    def table_bytes(self) -> int:
        """Bytes that the tables take."""
        return self._tables.tables.nbytes

    @property
    def scratch_shape(self) -> tuple[int, int]:
        """Coded columns, and cells with the scrap, that a tile takes memory for."""
        return len(self._codes.feature), self.cells.scrap + 1

    def of_tile(self, rows: Rows, tile: slice, scratch: _Scratch) -> np.ndarray:
        """float32[cells + 1, rows of ``scratch``], the last of them scrap: the sums of a tile of the rows of a block.

        They lie in ``scratch``, which is at least as large as `scratch_shape` says.
        """
        from .kernels.shap_paths import add_paths
        from .kernels.shap_tables import add_tables
        from .kernels.threshold_codes import encode_csr, encode_dense

        start, count = tile.start, tile.stop - tile.start
        codes, tables, forest = self._codes, self._tables, self.forest
        columns, cells = self.scratch_shape
        coded, sums = scratch.codes[:columns], scratch.sums[:cells]
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
            *(codes.node_column, codes.node_rank, *self._quadrature, self.cells.keys, sums),
        )
        return sums


def by_tiles(
    outputs: Sequence[CellSums], rows: Rows, most_rows: int, write: Callable[[int, slice, np.ndarray], None]
) -> None:
    """All rows of a block in tiles of at most so many, on all threads.

    ``write`` gets an output's number, a tile's place among the rows and its sums, as of `CellSums.of_tile`; they are
    its own until it returns.
    """
    from .kernels.threads import on_threads, thread_count

    # As many tiles on each thread, so that none waits for another's last.
    tiles = -(-rows.length // (most_rows * thread_count())) * thread_count()
    size = -(-rows.length // (max(1, tiles) * ROWS_PER_STEP)) * ROWS_PER_STEP
    # An odd number of steps: rows of a tile a power of two apart would share a few lines of the cache.
    padded = (size // ROWS_PER_STEP | 1) * ROWS_PER_STEP
    idle: list[_Scratch] = []

    def work(start: int) -> None:
        tile = slice(start, min(start + size, rows.length))
        scratch = idle.pop() if idle else _scratch(outputs, padded)
        for number, output in enumerate(outputs):
            write(number, tile, output.of_tile(rows, tile, scratch))
        idle.append(scratch)

    on_threads(work, range(0, rows.length, max(1, size)))


def _scratch(outputs: Sequence[CellSums], rows: int) -> _Scratch:
    columns, cells = (max(sizes) for sizes in zip(*(output.scratch_shape for output in outputs), strict=True))
    return _Scratch(np.empty((columns, rows), np.uint8), np.empty((cells, rows), np.float32))


def _depths(forest: Forest) -> np.ndarray:
    """int64[trees]: the most splits on a path of each tree."""
    depths = np.zeros(len(forest.tree_offsets) - 1, np.int64)
    for group in paths(forest):
        trees = np.searchsorted(forest.tree_offsets, group.leaf, side="right") - 1
        np.maximum.at(depths, trees, group.depth)
    return depths
