"""The native forest: margins, values and leaves of an XGBoost model from 8-bit codes, tile by tile."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy.sparse as sp

from ..pipeline import forest as flat
from ..pipeline.errors import InputError, UnsupportedModelError
from ..pipeline.objectives import objective
from ..pipeline.threshold_codes import ThresholdCodes
from ..pipeline.walked_forest import LevelOrder, Walked
from .forest_layouts import SHALLOW_DEPTH, FewRows, Shallow
from .matrix_rows import Rows, blocks

if TYPE_CHECKING:
    import xgboost

TILE_ROWS = 1024
"""Rows whose codes are in the cache at a time."""
FEW_ROWS = 64
"""With fewer rows than this, walking down the trees beats the vector instructions on whole trees."""
_DENSE_ROWS = 16 * TILE_ROWS
_MOST_COLUMNS = 1 << 24


class Forest:
    """Scores of an XGBoost model on the CPU, the same decisions as XGBoost's own at a fraction of the time.

    Set-up is done when an object is made, compilation (kept on disk) too; it may be used from several threads at once.

    What counts as missing is as in XGBoost: in a sparse matrix what is not stored, and NaN; in a NumPy array or a
    pandas frame NaN alone, so that a zero there is the value 0.
    """

    def __init__(self, forest: flat.Forest) -> None:
        """Take the trees; see `from_booster`."""
        from .kernels.few_rows import score_csr, score_dense

        codes = ThresholdCodes.of(forest)
        if len(codes.feature) >= _MOST_COLUMNS:
            raise UnsupportedModelError(f"the model splits on over {_MOST_COLUMNS} features; train it on fewer")
        self.forest, self._codes = forest, codes
        order = LevelOrder.of(forest)
        self._nodes = nodes = Walked.of(forest, codes, order)
        # A model of stumps without splits has no code to compare: its trees are walked, in no steps.
        shallow = (order.depths <= SHALLOW_DEPTH) & (len(codes.feature) > 0)
        self._shallow = Shallow.of(forest, codes, np.flatnonzero(shallow))
        self._deep_trees = nodes.trees[~shallow], nodes.nodes, nodes.leaf_value
        self._few_rows = FewRows(forest, codes, order)
        self._score_csr, self._score_dense = score_csr, score_dense
        # Of a tree with vectors in its leaves the first output's stands for all.
        self._numbered_trees = nodes.trees[np.unique(forest.tree_number, return_index=True)[1]]
        self._layout = codes.layout
        self._features = np.ascontiguousarray(forest.used_features)
        self._places = np.arange(len(self._features), dtype=np.int32)
        self._value_of_margin = objective(forest.objective, forest.version).value_of_margin
        for rows in (1, FEW_ROWS):
            self.predict(sp.csr_matrix((rows, forest.features), dtype=np.float32))
            self.predict(np.zeros((rows, forest.features), np.float32))

    @classmethod
    def from_booster(cls, booster: "xgboost.Booster", iteration_range: tuple[int, int] | None = None) -> "Forest":
        """All trees of a booster, or those of some boosting rounds: ``(0, booster.best_iteration + 1)``.

        Raises:
            UnsupportedModelError, InputError: as `technobench.pipeline.forest.Forest.from_model`.

        """
        return cls(flat.Forest.from_model(bytes(booster.save_raw("json")), iteration_range))

    def predict(self, matrix: Any, output: Literal["margin", "value", "leaf"] = "margin") -> np.ndarray:
        """One score of each output, or one leaf of each tree, for each row.

        Args:
            matrix: n x features: SciPy sparse, NumPy, or a pandas frame of numbers with its columns in model order. A
                categorical feature is the codes that the model was trained on; what it never saw goes left.
            output: ``margin``: float32[n], or [n, outputs] for more than one output (class, target); ``value``: the
                same shape, what the objective predicts (a probability, for a classifier), and for ``multi:softmax``
                float32[n], the number of the class; ``leaf``: int32[n, trees], the leaf's number in its tree, as
                XGBoost's ``pred_leaf``, which has one column for a tree with vectors in its leaves.

        Raises:
            InputError: the matrix has not as many columns as the model has features, or is not of numbers.

        """
        if output == "leaf":
            return self._leaves(matrix)
        if output not in ("margin", "value"):
            raise InputError(f"output={output!r} is not known; choose margin, value or leaf")
        margins = self._few(matrix) if matrix.shape[0] < FEW_ROWS else self._many(matrix)
        if output == "value":
            margins = self._value_of_margin(margins.T.astype(np.float64)).T.astype(np.float32, order="C")
        return margins[:, 0] if margins.shape[1] == 1 else margins

    def _few(self, matrix: Any) -> np.ndarray:
        """float32[n, outputs]. What is float32 already is read where it lies: half of a row's time is getting there."""
        margins = np.empty((matrix.shape[0], self.forest.outputs), np.float32)
        fits = matrix.ndim == 2 and matrix.shape[1] == self.forest.features
        if fits and getattr(matrix, "format", "") == "csr" and matrix.data.dtype == np.float32:
            self._score_csr(matrix.indptr, matrix.indices, matrix.data, self._few_rows.model, margins)
            return margins
        if fits and isinstance(matrix, np.ndarray) and matrix.dtype == np.float32 and matrix.flags.c_contiguous:
            self._score_dense(matrix, self._features, self._few_rows.model, margins)
            return margins
        for _, rows in self._blocks(matrix):
            if rows.indptr is None:
                self._score_dense(rows.data, self._places, self._few_rows.model, margins)
            else:
                self._score_csr(rows.indptr, rows.indices, rows.data, self._few_rows.model, margins)
        return margins

    def _many(self, matrix: Any) -> np.ndarray:
        """float32[n, outputs]."""
        from .kernels.forest_walk import add_shallow, add_walked

        sums = np.repeat(self.forest.base_margin[:, None], matrix.shape[0], axis=1)

        def add(tile: tuple[Rows, int]) -> None:
            codes, first = self._encoded(tile[0]), tile[1]
            add_shallow(codes, *self._shallow, first, sums)
            add_walked(codes, *self._deep_trees, first, sums)

        for start, rows in self._blocks(matrix):
            self._on_tiles(add, rows, start)
        return sums.T.astype(np.float32, order="C")

    def _leaves(self, matrix: Any) -> np.ndarray:
        from .kernels.forest_walk import reached_leaves

        trees, nodes = self._numbered_trees, self._nodes
        leaves = np.empty((matrix.shape[0], len(trees)), np.int32)

        def fill(tile: tuple[Rows, int]) -> None:
            rows, first = tile
            part = leaves[first : first + rows.length]
            reached_leaves(self._encoded(rows), trees, nodes.nodes, nodes.node_in_tree, part)

        for start, rows in self._blocks(matrix):
            self._on_tiles(fill, rows, start)
        return leaves

    def _on_tiles(self, work: Callable[[tuple[Rows, int]], None], rows: Rows, start: int) -> None:
        """``work`` of each tile of rows, with its place among the rows of the matrix, which begin at ``start``."""
        if rows.length <= TILE_ROWS:
            work((rows, start))
            return
        from .kernels.threads import on_threads

        tiles = [
            (rows._replace(first=rows.first + at, length=min(TILE_ROWS, rows.length - at)), start + at)
            for at in range(0, rows.length, TILE_ROWS)
        ]
        on_threads(work, tiles)

    def _encoded(self, rows: Rows) -> np.ndarray:
        from .kernels.threshold_codes import encode_csr, encode_dense

        codes = np.empty((len(self._codes.feature), rows.length), np.uint8)
        if rows.indptr is None:
            encode_dense(rows.data, rows.first, rows.length, rows.indices, *self._layout, codes)
        else:
            encode_csr(rows.indptr, rows.indices, rows.data, rows.first, rows.length, *self._layout, codes)
        return codes

    def _blocks(self, matrix: Any) -> Iterator[tuple[int, Rows]]:
        return blocks(matrix, self.forest.features, self._features, _DENSE_ROWS)
