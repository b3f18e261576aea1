"""SHAP interaction values on the CPU, by the same tables as `tree_shap`, of the pairs of features that can interact."""

from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..pipeline.errors import InputError
from ..pipeline.forest import Forest
from ..pipeline.shap_cells import ShapCells
from .cell_sums import ROWS_PER_STEP, CellSums, by_tiles
from .matrix_rows import blocks
from .tree_explainer import TreeExplainer
from .tree_shap import ROWS_AT_A_TIME, TILE_ROWS, index_type

SCRATCH_BYTES = 16 << 20
"""What a tile's sums may take on each thread, down to the fewest rows that a tile can have."""
MOST_DENSE_BYTES = 4 << 30


class CompactInteractions(NamedTuple):
    """Interactions of the pairs of features that meet on a path of a tree; all others are 0.

    values: float32[n, pairs + used features + 1]: the pairs, each half of its interaction, as it stands on both sides
        of the diagonal; then the features' own elements of the diagonal; then the bias. For more than one output it is
        [n, outputs, pairs + used features + 1].
    pairs: int32[pairs, 2], columns of the matrix, ascending, the lower first.
    features: int32[used features], the columns of the matrix that have an element on the diagonal.
    """

    values: np.ndarray
    pairs: np.ndarray
    features: np.ndarray


class _Layout(NamedTuple):
    """An answer's rows, of ``width`` elements: an output's ``cells[k]`` goes to ``places[k]``; both int64."""

    width: int
    cells: list[np.ndarray]
    places: list[np.ndarray]


class ShapInteractions(TreeExplainer):
    """Exact path-dependent SHAP interaction values of an XGBoost model, as its ``pred_interactions`` defines them.

    An element off the diagonal is half of the Shapley interaction index of two features (Lundberg, Erion and Lee 2018,
    "Consistent Individualized Feature Attribution for Tree Ensembles", section 4), and stands in both orders. The
    diagonal has what is left of each feature's SHAP value, and the bias in its last element: rows of the matrix add up
    to SHAP values, all of it to the margin. Each output of a model (class, target) has a matrix of its own.

    Two features that no path of a tree has both of do not interact: what is stored is the rest. A row of the compact
    answer takes 4 bytes for each pair and feature, one of the CSR answer up to five times that. Set-up and what counts
    as missing are as in `TreeShap`.
    """

    def __init__(self, forest: Forest, outputs: list[CellSums]) -> None:
        """Take what `from_forest` builds."""
        super().__init__(forest, outputs)
        self._pair_keys = np.unique(np.concatenate([self._keys(output) for output in outputs]))
        self.pairs = np.column_stack(np.divmod(self._pair_keys, forest.features)).astype(np.int32)
        self.interaction_values(sp.csr_matrix((1, forest.features), dtype=np.float32))
        self.interaction_values(np.zeros((1, forest.features), np.float32))

    @staticmethod
    def _cells_of(forest: Forest) -> ShapCells:
        return ShapCells.of_interactions(forest)

    def interaction_values(self, matrix: Any, output: Literal["csr", "compact", "dense"] = "csr") -> Any:
        """Interaction values of each row, float32, in units of the margin.

        Args:
            matrix: n x features: SciPy sparse, NumPy, or a pandas frame of numbers with its columns in model order.
            output: ``csr``: n x (features + 1)^2, each row a matrix laid out row by row, both orders of each pair
                stored; for more than one output n x outputs * (features + 1)^2, one output behind the other;
                ``compact``: a `CompactInteractions`; ``dense``: a NumPy array n x (features + 1) x (features + 1), or
                n x outputs x (features + 1) x (features + 1).

        Raises:
            InputError: the matrix has not as many columns as the model has features, or is not of numbers; or a dense
                answer would take over 4 GiB.

        """
        if output not in ("csr", "compact", "dense"):
            raise InputError(f"output={output!r} is not known; choose csr, compact or dense")
        rows, outputs, side = matrix.shape[0], len(self._outputs), self.forest.features + 1
        shape = rows, *self._each_output
        if output == "compact":
            layout = self._compact_layout
            values = self._written(matrix, layout).reshape(*shape, layout.width // outputs)
            return CompactInteractions(values, self.pairs, self.features)
        layout = self._matrix_layout
        if output == "dense":
            _refuse_absurd(rows, 4 * layout.width)
            return self._written(matrix, layout).reshape(*shape, side, side)
        stored = np.concatenate(layout.places)
        ends = np.cumsum([len(places) for places in layout.places])
        in_a_row = np.split(np.arange(len(stored)), ends[:-1])
        values = self._written(matrix, _Layout(len(stored), layout.cells, in_a_row))
        kind = index_type(max(values.size, layout.width))
        indices = np.empty(values.shape, kind)
        indices[:] = stored
        starts = np.arange(rows + 1, dtype=kind) * kind(len(stored))
        return sp.csr_matrix((values.reshape(-1), indices.reshape(-1), starts), shape=(rows, layout.width))

    @cached_property
    def _matrix_layout(self) -> _Layout:
        """The whole matrices of a row, laid out row by row, output by output; places ascend."""
        side = self.forest.features + 1
        layout = _Layout(len(self._outputs) * side * side, [], [])
        for number, output in enumerate(self._outputs):
            first, second = output.features[output.cells.pairs].T.astype(np.int64)
            features = np.append(output.features, side - 1).astype(np.int64)  # the bias is the last cell and element
            pairs = np.arange(len(first))
            cells = np.concatenate([pairs, pairs, len(pairs) + np.arange(len(features))])
            places = np.concatenate([first * side + second, second * side + first, features * (side + 1)])
            order = np.argsort(places)
            layout.cells.append(cells[order])
            layout.places.append(number * side * side + places[order])
        return layout

    @cached_property
    def _compact_layout(self) -> _Layout:
        """Pairs, features and bias, the same for all outputs."""
        each = len(self.pairs) + len(self.features) + 1
        layout = _Layout(len(self._outputs) * each, [], [])
        for number, output in enumerate(self._outputs):
            pairs = np.searchsorted(self._pair_keys, self._keys(output))
            features = len(self.pairs) + np.searchsorted(self.features, output.features)
            layout.cells.append(np.arange(output.cells.scrap + 1))
            layout.places.append(number * each + np.concatenate([pairs, features, [each - 1]]))
        return layout

    def _keys(self, output: CellSums) -> np.ndarray:
        """int64, ascending: a number for each pair of columns that meets on a path of an output's trees."""
        first, second = output.features[output.cells.pairs].T.astype(np.int64)
        return first * self.forest.features + second

    def _written(self, matrix: Any, layout: _Layout) -> np.ndarray:
        """float32[n, width]: each row's cells in their places, and 0 elsewhere."""
        from .kernels.shap_tables import write_cells

        # What is zero already is not written, nor taken from the system before it is.
        values = np.zeros((matrix.shape[0], layout.width), np.float32)
        most_cells = max(output.cells.scrap for output in self._outputs) + 1
        tile_rows = SCRATCH_BYTES // (4 * most_cells) // ROWS_PER_STEP * ROWS_PER_STEP
        tile_rows = min(max(tile_rows, ROWS_PER_STEP), TILE_ROWS)
        for start, rows in blocks(matrix, self.forest.features, self.features, ROWS_AT_A_TIME):
            part = values[start : start + rows.length]

            def write(number: int, tile: slice, sums: np.ndarray, part: np.ndarray = part) -> None:
                # The scrap, to which nothing but zeros is ever added, gives the bias its place.
                sums[-1] = self._outputs[number].bias
                places = tile.start, tile.stop - tile.start
                write_cells(sums, layout.cells[number], layout.places[number], part, *places)

            by_tiles(self._outputs, rows, tile_rows, write)
        return values


def _refuse_absurd(rows: int, each: int) -> None:
    """Raise InputError where a dense answer, of so many bytes a row, would take more than `MOST_DENSE_BYTES`."""
    if rows * each > MOST_DENSE_BYTES:
        raise InputError(
            f"a dense answer takes {rows * each / 1e9:,.1f} GB, {each / 1e6:,.1f} MB for each of {rows:,} rows; "
            "ask for output='compact' or 'csr', or for fewer rows at a time"
        )
