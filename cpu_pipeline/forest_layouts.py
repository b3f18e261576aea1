"""The trees of a forest in the layouts that the kernels of the native forest read, one for each way through them."""

from itertools import product
from typing import NamedTuple

import numpy as np

from ..pipeline.forest import Forest
from ..pipeline.threshold_codes import ThresholdCodes
from ..pipeline.walked_forest import LevelOrder

SHALLOW_DEPTH = 6
COMPLETE_STEP = 3
COMPLETE_DEPTH = 9
"""For few rows, trees of this depth at most are made complete, to a multiple of 3: 2^9 leaves are 3 KB."""


class Shallow(NamedTuple):
    """Trees of depth 6 at most, made complete, as `kernels.forest_walk.add_shallow` reads them.

    columns: int64[trees, 9, 7]. ranks: uint8[trees, 9, 7]. values: float32[trees, 64]. tree_output: int32[trees].
    """

    columns: np.ndarray
    ranks: np.ndarray
    values: np.ndarray
    tree_output: np.ndarray

    @classmethod
    def of(cls, forest: Forest, codes: ThresholdCodes, trees: np.ndarray) -> "Shallow":
        """Nine trees of 7 splits each: the 3 upper levels, and the 8 trees below them from the left."""
        levels = complete_levels(forest, forest.tree_offsets[trees], SHALLOW_DEPTH)
        upper = np.concatenate(levels[:3], axis=1)
        below = [level.reshape(len(trees), 8, 2**k) for k, level in enumerate(levels[3:SHALLOW_DEPTH])]
        node = np.concatenate([upper[:, None], np.concatenate(below, axis=2)], axis=1)
        return cls(
            columns=np.maximum(codes.node_column[node], 0).astype(np.int64),
            ranks=codes.node_rank[node],
            values=forest.leaf_value[levels[SHALLOW_DEPTH]],
            tree_output=forest.tree_output[trees],
        )


def complete_levels(forest: Forest, roots: np.ndarray, depth: int) -> list[np.ndarray]:
    """int64[trees, 2^k] for k from 0 to ``depth``: the nodes of each level; a leaf stands in for all below it."""
    levels = [roots[:, None].astype(np.int64)]
    for level in range(depth):
        node = levels[-1]
        leaf = forest.feature[node] < 0
        children = [np.where(leaf, node, child[node]) for child in (forest.left, forest.right)]
        levels.append(np.stack(children, axis=2).reshape(len(roots), 2 << level))
    return levels


class FewRows:
    """The forest as `kernels.few_rows` reads it; ``model`` is int64: address and length of each array, in order."""

    def __init__(self, forest: Forest, codes: ThresholdCodes, order: LevelOrder) -> None:
        """Complete trees level by level in groups of one output and depth; deeper trees as they are."""
        sets = _sets(codes)
        place = codes.offsets[:-1].copy()
        place[codes.sets] = sets[:, 2]
        none = len(codes.thresholds) + len(sets)
        asked = place[codes.node_column] + codes.node_rank - 1 if len(place) else codes.node_column
        question = np.where(codes.node_column >= 0, asked, none)
        missing = np.append(np.repeat(codes.missing, np.diff(codes.offsets)), codes.missing[codes.sets])
        complete = (order.depths <= COMPLETE_DEPTH) & (none <= np.iinfo(np.uint16).max)
        self._arrays = (
            np.append(missing > 0, False).astype(np.uint8),
            np.stack([codes.offsets[codes.columns_of], np.searchsorted(codes.sets, codes.columns_of)]).astype(np.int32),
            codes.thresholds,
            sets,
            forest.used_features.astype(np.int32),
            forest.base_margin,
            *_groups(forest, question, np.where(complete, order.depths, -1)),
            *_deep(forest, question, order, np.flatnonzero(~complete)),
        )
        self.model = np.array([(array.ctypes.data, array.size) for array in self._arrays], np.int64).reshape(-1)


def _sets(codes: ThresholdCodes) -> np.ndarray:
    """int64[k, 3] of each categorical column: first and last + 1 threshold, and the place of its answer."""
    sets = codes.sets
    place = len(codes.thresholds) + np.arange(len(sets))
    return np.column_stack([codes.offsets[sets], codes.offsets[sets + 1], place]).astype(np.int64)


def _groups(forest: Forest, question: np.ndarray, depths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups, questions and leaves of the complete trees, whose depths are given; -1 stands for no such tree."""
    groups: list[tuple[int, ...]] = []
    questions, leaves = [np.zeros(0, np.uint16)], [np.zeros(0, np.float32)]
    padded = -(-depths // COMPLETE_STEP) * COMPLETE_STEP
    for output, depth in product(range(forest.outputs), range(0, COMPLETE_DEPTH + 1, COMPLETE_STEP)):
        chosen = np.flatnonzero((forest.tree_output == output) & (depths >= 0) & (padded == depth))
        if len(chosen):
            levels = complete_levels(forest, forest.tree_offsets[chosen], depth)
            groups.append((output, len(chosen), depth, sum(map(len, questions)), sum(map(len, leaves))))
            questions += [question[level.reshape(-1)].astype(np.uint16) for level in levels[:-1]]
            leaves.append(forest.leaf_value[levels[-1].reshape(-1)])
    return np.array(groups, np.int64).reshape(-1, 5), np.concatenate(questions), np.concatenate(leaves)


def _deep(
    forest: Forest, question: np.ndarray, order: LevelOrder, trees: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Output, root and depth of these trees, by output; all nodes, and their leaves' values, by position."""
    number, position = order.number, order.position
    trees = trees[np.argsort(forest.tree_output[trees], kind="stable")]
    roots = position[forest.tree_offsets[trees]]
    left = np.where(forest.feature[number] < 0, number, forest.left[number])
    nodes = np.vstack([np.zeros((1, 2)), np.column_stack([question[number], position[left]])]).astype(np.uint32)
    deep = np.column_stack([forest.tree_output[trees], roots, order.depths[trees]]).astype(np.int64)
    return deep, nodes, np.append(np.float32(0), forest.leaf_value[number])
