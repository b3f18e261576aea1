"""The trees of an XGBoost model as flat arrays: the one layout that oracles, native engines and kernels read."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from .errors import InputError
from .model_file import forest_fields

ROWS_AT_A_TIME = 4096
CATEGORIES = 1 << 24
"""Categories are 0 to this, exclusive: above it not every integer is a float32."""


@dataclass(frozen=True)
class Forest:
    """Trees of one or more outputs; a row's margin of an output is its ``base_margin`` plus one leaf of its trees each.

    Nodes are numbered through all trees. A leaf has -1 as ``feature``, ``left`` and ``right``, and 0 as ``threshold``.
    A row goes left where its value, a float32, is less than the threshold; where it has no value, by ``default_left``.
    A categorical split has NaN as ``threshold`` and a set of categories: a row goes right where its value, without
    fraction, is in the set; what is no category (negative, or `CATEGORIES` and more) goes left.

    tree_offsets: int64[trees + 1]; tree t has the nodes from ``tree_offsets[t]``, its root, to ``tree_offsets[t + 1]``
        (among them may be nodes that were pruned, and that no path reaches).
    tree_output: int32[trees], the output (class, target) that a tree adds to.
    tree_number: int32[trees], ascending: the tree in the model's own count. A tree with a vector in each leaf is here
        one tree for each output, of one number.
    feature: int32[nodes], column of the matrix.
    threshold: float32[nodes].
    category_offsets: int64[nodes + 1]; node i has the categories ``category_offsets[i]`` to ``[i + 1]``.
    categories: int32, ascending within a node: those that go right.
    left, right: int32[nodes], the children's numbers.
    default_left: bool[nodes].
    leaf_value: float32[nodes], 0 where the node is no leaf; weights of trees (DART) are multiplied in.
    cover: float32[nodes], sum of the training records' Hessians: the weight of a child in path-dependent SHAP.
    base_margin: float64[outputs], what a model without trees would score.
    features: columns that a matrix must have.
    objective: XGBoost's name of it.
    version: of the XGBoost that wrote the file, as (3, 4, 1).
    """

    tree_offsets: np.ndarray
    tree_output: np.ndarray
    tree_number: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    category_offsets: np.ndarray
    categories: np.ndarray
    left: np.ndarray
    right: np.ndarray
    default_left: np.ndarray
    leaf_value: np.ndarray
    cover: np.ndarray
    base_margin: np.ndarray
    features: int
    objective: str
    version: tuple[int, ...]

    @classmethod
    def from_model(cls, raw: bytes, iteration_range: tuple[int, int] | None = None) -> "Forest":
        """The trees of a model that ``Booster.save_raw("json")`` wrote (XGBoost 3.0 to 3.4).

        Args:
            raw: the model file.
            iteration_range: boosting rounds, first and last + 1; all where it is None or, as in XGBoost, (0, 0). The
                best iteration of early stopping is left to the caller: ``(0, booster.best_iteration + 1)``.

        Raises:
            UnsupportedModelError: a linear booster, an objective whose link is not known, or no trees and a base score
                that was never estimated.
            InputError: the model has no such rounds.

        """
        return cls(**forest_fields(raw, iteration_range))

    @property
    def outputs(self) -> int:
        """Scores of a row: 1, or as many as the model has classes or targets."""
        return len(self.base_margin)

    def of_output(self, output: int) -> "Forest":
        """The forest of one output alone: its trees, its base margin."""
        output = range(self.outputs)[output]
        if self.outputs == 1:
            return self
        trees = np.flatnonzero(self.tree_output == output)
        tree_offsets, nodes = _segments(self.tree_offsets, trees)
        category_offsets, categories = _segments(self.category_offsets, nodes)
        moved = np.repeat(self.tree_offsets[trees] - tree_offsets[:-1], np.diff(tree_offsets))
        leaf = self.feature[nodes] < 0
        return Forest(
            tree_offsets=tree_offsets,
            tree_output=np.zeros(len(trees), np.int32),
            tree_number=self.tree_number[trees],
            feature=self.feature[nodes],
            threshold=self.threshold[nodes],
            category_offsets=category_offsets,
            categories=self.categories[categories],
            left=np.where(leaf, -1, self.left[nodes] - moved).astype(np.int32),
            right=np.where(leaf, -1, self.right[nodes] - moved).astype(np.int32),
            default_left=self.default_left[nodes],
            leaf_value=self.leaf_value[nodes],
            cover=self.cover[nodes],
            base_margin=self.base_margin[[output]],
            features=self.features,
            objective=self.objective,
            version=self.version,
        )

    @cached_property
    def used_features(self) -> np.ndarray:
        """int32, ascending: the columns that any split reads."""
        return np.unique(self.feature[self.feature >= 0])

    @cached_property
    def slot(self) -> np.ndarray:
        """int64[nodes]: the node's column as a position in `used_features`; meaningless at a leaf."""
        return np.searchsorted(self.used_features, self.feature)

    def used_values(self, matrix: sp.csr_matrix) -> np.ndarray:
        """float32[len(used_features), rows]: the used columns, dense; NaN where nothing is stored.

        Raises:
            InputError: the matrix has not as many columns as the model has features.

        """
        if matrix.shape[1] != self.features:
            raise InputError(f"the model has {self.features} features, the matrix {matrix.shape[1]} columns")
        position = np.full(self.features, -1)
        position[self.used_features] = np.arange(len(self.used_features))
        column = position[matrix.indices]
        row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        used = column >= 0
        values = np.full((len(self.used_features), matrix.shape[0]), np.nan, np.float32)
        values[column[used], row[used]] = matrix.data[used]
        return values

    def goes_left(self, nodes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Whether each value (float32, NaN where missing) goes left at its node; shapes broadcast."""
        threshold = self.threshold[nodes]
        goes_left = (values < threshold) | (np.isnan(values) & self.default_left[nodes])
        if (categorical := np.isnan(threshold)).any():
            goes_left |= categorical & ~np.isnan(values) & ~self._in_set(nodes, values)
        return goes_left

    def _in_set(self, nodes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Whether a value is in the node's set; False for what is no category."""
        category = (values >= 0) & (values < CATEGORIES)
        wanted = nodes.astype(np.int64) * CATEGORIES + np.where(category, values, 0).astype(np.int64)
        return category & (self._members[np.searchsorted(self._members, wanted)] == wanted)

    @cached_property
    def _members(self) -> np.ndarray:
        """int64, ascending: node * CATEGORIES + category, for each category of each set, and one beyond them all."""
        node = np.repeat(np.arange(len(self.feature)), np.diff(self.category_offsets))
        return np.append(node * CATEGORIES + self.categories, len(self.feature) * CATEGORIES)

    def margins(self, matrix: sp.csr_matrix) -> np.ndarray:
        """float64[n], or [n, outputs] for more than one output: the margins of each row of an n x features CSR matrix.

        The leaves are added in float64.
        """
        margins = np.tile(self.base_margin, (matrix.shape[0], 1))
        for start in range(0, matrix.shape[0], ROWS_AT_A_TIME):
            values = self.used_values(matrix[start : start + ROWS_AT_A_TIME])
            part = margins[start : start + ROWS_AT_A_TIME]
            for root, output in zip(self.tree_offsets[:-1], self.tree_output, strict=True):
                part[:, output] += self.leaf_value[self._leaves(root, values)]
        return margins[:, 0] if self.outputs == 1 else margins

    def _leaves(self, root: int, values: np.ndarray) -> np.ndarray:
        node = np.full(values.shape[1], root, np.int32)
        while (walking := np.flatnonzero(self.feature[node] >= 0)).size:
            at = node[walking]
            goes_left = self.goes_left(at, values[self.slot[at], walking])
            node[walking] = np.where(goes_left, self.left[at], self.right[at])
        return node


def _segments(offsets: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of the chosen segments when they stand one behind the other, and the places that they come from."""
    lengths = np.diff(offsets)[chosen]
    packed = np.append(0, np.cumsum(lengths))
    return packed, np.arange(packed[-1]) + np.repeat(offsets[chosen] - packed[:-1], lengths)
