"""The native forest: margins, values and leaves of an XGBoost model from 8-bit codes, tile by tile."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..pipeline import forest as flat
from ..pipeline.errors import InputError, UnsupportedModelError
from ..pipeline.objectives import objective
from ..pipeline.threshold_codes import ThresholdCodes
from .matrix_rows import Rows, blocks

if TYPE_CHECKING:
    import xgboost

TILE_ROWS = 1024
"""Rows whose codes are in the cache at a time."""
FEW_ROWS = 64
"""With fewer rows than this, walking down the trees beats the vector instructions on whole trees."""
_DENSE_ROWS = 16 * TILE_ROWS
_SHALLOW_DEPTH = 6
_MOST_COLUMNS = 1 << 24


@dataclass(frozen=True)
class _Nodes:
    """All trees as `kernels.forest_walk.add_walked` reads them, each tree's nodes level by level.

    trees: uint32[trees, 3]. nodes: uint32[nodes, 2]. leaf_value: float32[nodes].
    node_in_tree: int32[nodes], the number that XGBoost gives the node.
    """

    trees: np.ndarray
    nodes: np.ndarray
    leaf_value: np.ndarray
    node_in_tree: np.ndarray

    @classmethod
    def of(cls, forest: flat.Forest, codes: ThresholdCodes) -> "_Nodes":
        number, tree, depths = _by_level(forest)
        leaf = forest.feature[number] < 0
        # Position 0 is left free: a leaf's left child is the position before its own.
        position = np.zeros(len(forest.feature), np.int64)
        position[number] = 1 + np.arange(len(number))
        left = np.where(leaf, position[number] - 1, position[forest.left[number]])
        test = np.where(leaf, 0, codes.node_column[number]) * 256 + codes.node_rank[number]
        return cls(
            trees=np.column_stack([position[forest.tree_offsets[:-1]], depths, forest.tree_output]).astype(np.uint32),
            nodes=np.vstack([np.zeros((1, 2)), np.column_stack([test, left])]).astype(np.uint32),
            leaf_value=np.append(np.float32(0), forest.leaf_value[number]),
            node_in_tree=np.append(0, number - forest.tree_offsets[tree]).astype(np.int32),
        )


def _by_level(forest: flat.Forest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """int64: the nodes that paths reach, tree by tree and level by level, siblings together; their trees; the depths
    of all trees.
    """
    number = forest.tree_offsets[:-1].astype(np.int64)
    tree = np.arange(len(number))
    depths = np.zeros(len(number), np.int64)
    numbers, trees, level = [number], [tree], 0
    while len(number):
        level += 1
        split = forest.feature[number] >= 0
        depths[tree[split]] = level
        number = np.column_stack([forest.left[number[split]], forest.right[number[split]]]).reshape(-1).astype(np.int64)
        tree = np.repeat(tree[split], 2)
        numbers.append(number)
        trees.append(tree)
    order = np.argsort(np.concatenate(trees), kind="stable")
    return np.concatenate(numbers)[order], np.concatenate(trees)[order], depths


class _Shallow(NamedTuple):
    """Trees of depth 6 at most, made complete, as `kernels.forest_walk.add_shallow` reads them.

    columns: int64[trees, 9, 7]. ranks: uint8[trees, 9, 7]. values: float32[trees, 64]. tree_output: int32[trees].
    """

    columns: np.ndarray
    ranks: np.ndarray
    values: np.ndarray
    tree_output: np.ndarray

    @classmethod
    def of(cls, forest: flat.Forest, codes: ThresholdCodes, trees: np.ndarray) -> "_Shallow":
        complete = np.empty((len(trees), 2 ** (_SHALLOW_DEPTH + 1) - 1), np.int64)
        complete[:, 0] = forest.tree_offsets[trees]
        splits = 2**_SHALLOW_DEPTH - 1
        for k in range(splits):
            node = complete[:, k]
            leaf = forest.feature[node] < 0
            complete[:, 2 * k + 1] = np.where(leaf, node, forest.left[node])
            complete[:, 2 * k + 2] = np.where(leaf, node, forest.right[node])
        root = np.array([0, *range(7, 15)])[:, None]
        group = np.concatenate([root, 2 * root + [1, 2], 4 * root + [3, 4, 5, 6]], axis=1, dtype=np.int64)
        node = complete[:, group]
        return cls(
            columns=np.maximum(codes.node_column[node], 0).astype(np.int64),
            ranks=codes.node_rank[node],
            values=forest.leaf_value[complete[:, splits:]],
            tree_output=forest.tree_output[trees],
        )


class Forest:
    """Scores of an XGBoost model on the CPU, the same decisions as XGBoost's own at a fraction of the time.

    Set-up is done when an object is made, compilation (kept on disk) too; it may be used from several threads at once.

    What counts as missing is as in XGBoost: in a sparse matrix what is not stored, and NaN; in a NumPy array or a
    pandas frame NaN alone, so that a zero there is the value 0.
    """

    def __init__(self, forest: flat.Forest) -> None:
        """Take the trees; see `from_booster`."""
        codes = ThresholdCodes.of(forest)
        if len(codes.feature) >= _MOST_COLUMNS:
            raise UnsupportedModelError(f"the model splits on over {_MOST_COLUMNS} features; train it on fewer")
        self.forest, self._codes = forest, codes
        self._nodes = nodes = _Nodes.of(forest, codes)
        shallow = nodes.trees[:, 1] <= _SHALLOW_DEPTH
        # A model of stumps without splits has no code to compare: its trees are walked, in no steps.
        shallow &= len(codes.feature) > 0
        self._shallow = _Shallow.of(forest, codes, np.flatnonzero(shallow))
        self._all_trees = nodes.trees, nodes.nodes, nodes.leaf_value
        self._deep_trees = nodes.trees[~shallow], nodes.nodes, nodes.leaf_value
        # Of a tree with vectors in its leaves the first output's stands for all.
        self._numbered_trees = nodes.trees[np.unique(forest.tree_number, return_index=True)[1]]
        self._layout = codes.layout
        self._features = np.ascontiguousarray(forest.used_features)
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
        sums = np.empty((self.forest.outputs, matrix.shape[0]))
        sums.T[:] = self.forest.base_margin
        for start, rows in self._blocks(matrix):
            self._add(rows, start, sums)
        if output == "value":
            sums = self._value_of_margin(sums)
        return sums[0].astype(np.float32) if len(sums) == 1 else sums.T.astype(np.float32, order="C")

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

    def _add(self, rows: Rows, start: int, sums: np.ndarray) -> None:
        from .kernels.forest_walk import add_few, add_shallow, add_walked

        if rows.length < FEW_ROWS:
            if rows.indptr is not None:
                add_few(rows.indptr, rows.indices, rows.data, *self._layout, *self._all_trees, start, sums)
            else:
                add_walked(self._encoded(rows), *self._all_trees, start, sums)
            return

        def add(tile: tuple[Rows, int]) -> None:
            codes, first = self._encoded(tile[0]), tile[1]
            add_shallow(codes, *self._shallow, first, sums)
            add_walked(codes, *self._deep_trees, first, sums)

        self._on_tiles(add, rows, start)

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
