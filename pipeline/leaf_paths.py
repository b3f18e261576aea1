"""Leaves, each with its path as a list of players: the layout for engines that explain rows leaf by leaf.

It is for trees without pattern tables (`ShapTables.uncovered_trees`), and as large as its leaves' paths are long. The
players of a leaf are the features on its path (see `shapley`). A player is present in a row that gives the right
answers to its *questions*, one for each coded column (`ThresholdCodes`) that its splits on the path read: all of these
together ask whether

    low <= code of the row in the column < low + span.

A path that asks for two things that exclude each other has a span of 0.
"""

from dataclasses import dataclass

import numpy as np

from .forest import Forest
from .shapley import Paths, cover_ratios, paths
from .threshold_codes import ThresholdCodes

CODES = 256


@dataclass(frozen=True)
class LeafPaths:
    """Leaf by leaf, from the left and tree by tree; a leaf has at least one player, a player at least one question.

    worth: float32[leaves], their values.
    player_offsets: int64[leaves + 1]: leaf i has the players ``player_offsets[i]`` to ``player_offsets[i + 1]``.
    absent: float32[players], the product of the cover ratios of a player's splits.
    slot: int64[players], ascending within a leaf: the feature, as a position in ``used_features``.
    question_offsets: int64[players + 1]: player i has the questions ``question_offsets[i]`` to ``[i + 1]``.
    column: int32[questions]; low: uint8[questions]; span: uint16[questions], up to 256.
    """

    worth: np.ndarray
    player_offsets: np.ndarray
    absent: np.ndarray
    slot: np.ndarray
    question_offsets: np.ndarray
    column: np.ndarray
    low: np.ndarray
    span: np.ndarray

    @classmethod
    def of(cls, forest: Forest, codes: ThresholdCodes, trees: np.ndarray) -> "LeafPaths":
        """All leaves of the given trees: one at least, each with a split."""
        leaves = _leaves_from_left(forest, trees)
        splits = _Splits.on_paths_to(leaves, forest, codes)
        question = np.flatnonzero(np.diff(splits.question, prepend=-1))
        low = np.maximum.reduceat(np.where(splits.goes_left, 0, splits.rank), question)
        end = np.minimum.reduceat(np.where(splits.goes_left, splits.rank, CODES), question)
        player_of = splits.leaf * len(forest.used_features) + splits.slot
        player = np.flatnonzero(np.diff(player_of, prepend=-1))
        return cls(
            worth=forest.leaf_value[leaves],
            player_offsets=np.searchsorted(splits.leaf[player], np.arange(len(leaves) + 1)),
            absent=np.multiply.reduceat(splits.ratio, player).astype(np.float32),
            slot=splits.slot[player],
            question_offsets=np.append(np.searchsorted(question, player), len(question)),
            column=splits.column[question],
            low=low.astype(np.uint8),
            span=np.maximum(end - low, 0).astype(np.uint16),
        )


@dataclass(frozen=True)
class _Splits:
    """Every split of every path, in order of leaf, feature and coded column.

    leaf: int64, place among the leaves. slot: int64. column: int32. rank: int64. goes_left: bool, the path's side.
    ratio: float64, of covers. question: int64, which leaf and coded column.
    """

    leaf: np.ndarray
    slot: np.ndarray
    column: np.ndarray
    rank: np.ndarray
    goes_left: np.ndarray
    ratio: np.ndarray
    question: np.ndarray

    @classmethod
    def on_paths_to(cls, leaves: np.ndarray, forest: Forest, codes: ThresholdCodes) -> "_Splits":
        place = np.full(len(forest.feature), -1)
        place[leaves] = np.arange(len(leaves))
        parts = [_flat(group[place[group.leaf] >= 0], forest) for group in paths(forest)]
        leaf, node, goes_left, ratio = (np.concatenate(each) for each in zip(*parts, strict=True))
        # Coded columns are in order of features, so that this is an order of players, too.
        question = place[leaf] * len(codes.feature) + codes.node_column[node]
        order = np.argsort(question, kind="stable")
        node = node[order]
        return cls(
            leaf=place[leaf[order]],
            slot=forest.slot[node],
            column=codes.node_column[node],
            rank=codes.node_rank[node].astype(np.int64),
            goes_left=goes_left[order],
            ratio=ratio[order],
            question=question[order],
        )


def _flat(group: Paths, forest: Forest) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each split of each path: the leaf, the split, the path's side, and the ratio of covers."""
    leaf = np.repeat(group.leaf, group.depth)
    return leaf, group.nodes.reshape(-1), group.goes_left.reshape(-1), cover_ratios(forest, group).reshape(-1)


def _leaves_from_left(forest: Forest, trees: np.ndarray) -> np.ndarray:
    """int64: the leaves of the trees."""
    left, right = forest.left.tolist(), forest.right.tolist()
    found: list[int] = []
    waiting = forest.tree_offsets[:-1][trees][::-1].tolist()
    while waiting:
        node = waiting.pop()
        if left[node] < 0:
            found.append(node)
        else:
            waiting += right[node], left[node]
    return np.array(found, np.int64)
