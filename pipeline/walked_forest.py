"""The trees of a forest for engines that walk down them, code by code: the layout that CPU and GPU kernels read."""

from dataclasses import dataclass

import numpy as np

from .forest import Forest
from .threshold_codes import ThresholdCodes


@dataclass(frozen=True)
class LevelOrder:
    """The nodes that paths reach, tree by tree and level by level, siblings together.

    number: int64[n], of the nodes in this order. tree: int64[n], theirs. depths: int64[trees], of all trees.
    position: int64[nodes], of each node in this order, counted from 1.
    """

    number: np.ndarray
    tree: np.ndarray
    depths: np.ndarray
    position: np.ndarray

    @classmethod
    def of(cls, forest: Forest) -> "LevelOrder":
        """By walking down all trees at once."""
        number = forest.tree_offsets[:-1].astype(np.int64)
        tree = np.arange(len(number))
        depths = np.zeros(len(number), np.int64)
        numbers, trees, level = [number], [tree], 0
        while len(number):
            level += 1
            split = forest.feature[number] >= 0
            depths[tree[split]] = level
            children = np.column_stack([forest.left[number[split]], forest.right[number[split]]])
            number, tree = children.reshape(-1).astype(np.int64), np.repeat(tree[split], 2)
            numbers.append(number)
            trees.append(tree)
        order = np.argsort(np.concatenate(trees), kind="stable")
        ordered = np.concatenate(numbers)[order]
        position = np.zeros(len(forest.feature), np.int64)
        position[ordered] = 1 + np.arange(len(ordered))
        return cls(ordered, np.concatenate(trees)[order], depths, position)


@dataclass(frozen=True)
class Walked:
    """All trees, their nodes in `LevelOrder`; position 0 is left free.

    trees: uint32[trees, 3]: position of the root, splits on the longest path, and output.
    nodes: uint32[1 + n, 2]: coded column * 256 + rank of the split, which is 0 at a leaf, that goes right to itself;
        and position of the left child, which the right one follows.
    leaf_value: float32[1 + n].
    node_in_tree: int32[1 + n], the number that XGBoost gives the node.
    """

    trees: np.ndarray
    nodes: np.ndarray
    leaf_value: np.ndarray
    node_in_tree: np.ndarray

    @classmethod
    def of(cls, forest: Forest, codes: ThresholdCodes, order: LevelOrder) -> "Walked":
        """A leaf's left child is the position before its own, so that going right keeps to it."""
        number, position = order.number, order.position
        leaf = forest.feature[number] < 0
        left = np.where(leaf, position[number] - 1, position[forest.left[number]])
        test = np.where(leaf, 0, codes.node_column[number]) * 256 + codes.node_rank[number]
        roots = position[forest.tree_offsets[:-1]]
        return cls(
            trees=np.column_stack([roots, order.depths, forest.tree_output]).astype(np.uint32),
            nodes=np.vstack([np.zeros((1, 2)), np.column_stack([test, left])]).astype(np.uint32),
            leaf_value=np.append(np.float32(0), forest.leaf_value[number]),
            node_in_tree=np.append(0, number - forest.tree_offsets[order.tree]).astype(np.int32),
        )
