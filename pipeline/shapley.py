"""Exact path-dependent Shapley values of a `Forest` in float64: the oracle of explanations.

The definition is that of TreeSHAP (Lundberg, Erion and Lee 2018, "Consistent Individualized Feature Attribution for
Tree Ensembles", algorithm 1): features in a set S are known, at a split on any other feature both children are taken,
weighted by their covers. The game splits into one game per leaf, and that of a leaf is a product: with the features on
its path as players,

    v(S) = leaf value * product of present[i] over i in S * product of absent[i] over i not in S,

where present[i] is 1 if the row takes the leaf's side at all of i's splits on the path, else 0, and absent[i] is the
product of the cover ratios of these splits. A Shapley value is linear in the game, so the leaves' values add up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import factorial

import numpy as np
import scipy.sparse as sp

from .errors import UnsupportedModelError
from .forest import Forest
from .quadrature import unit_points

# Up to so many splits on a path all subsets are listed; it takes 2^splits numbers per leaf and row.
SUBSETS_UP_TO = 8
NUMBERS_AT_A_TIME = 1 << 20


@dataclass(frozen=True)
class Paths:
    """Leaves at one depth L, k of them, each with the path to it.

    nodes: int64[k, L], the splits from the root on; goes_left: bool[k, L], the path's side at each.
    leaf: int64[k].
    """

    nodes: np.ndarray
    goes_left: np.ndarray
    leaf: np.ndarray

    @property
    def depth(self) -> int:
        """Splits on each path, L."""
        return self.nodes.shape[1]

    def __getitem__(self, chosen: np.ndarray | slice) -> "Paths":
        return Paths(self.nodes[chosen], self.goes_left[chosen], self.leaf[chosen])


def paths(forest: Forest) -> Iterator[Paths]:
    """All leaves that a path reaches, depth by depth."""
    roots = forest.tree_offsets[:-1]
    level = Paths(np.empty((len(roots), 0), np.int64), np.empty((len(roots), 0), bool), roots)
    while level.leaf.size:
        ends = forest.feature[level.leaf] < 0
        if ends.any():
            yield level[ends]
        split = level[~ends]
        nodes = np.column_stack([split.nodes, split.leaf])
        sides = [np.column_stack([split.goes_left, np.full(len(nodes), left)]) for left in (True, False)]
        children = [forest.left[split.leaf], forest.right[split.leaf]]
        level = Paths(np.tile(nodes, (2, 1)), np.concatenate(sides), np.concatenate(children).astype(np.int64))


def shapley_values(forest: Forest, matrix: sp.csr_matrix) -> np.ndarray:
    """Shapley values of an n x features CSR matrix; the last column is the bias.

    Returns:
        float64[n, features + 1], or [n, outputs, features + 1] for more than one output.

    Raises:
        UnsupportedModelError: a split has no cover, so that its children have no weights.

    """
    if forest.outputs > 1:
        of_each = [shapley_values(forest.of_output(output), matrix) for output in range(forest.outputs)]
        return np.stack(of_each, axis=1)
    if not (forest.cover[forest.feature >= 0] > 0).all():
        raise UnsupportedModelError("a split of the model has a cover of 0, so SHAP values are not defined")
    values = forest.used_values(matrix)
    rows = values.shape[1]
    by_slot = np.zeros(values.shape)
    bias = forest.base_margin[0]
    for group in paths(forest):
        listed = 2**group.depth if group.depth <= SUBSETS_UP_TO else group.depth
        solve = by_subsets if group.depth <= SUBSETS_UP_TO else by_integral
        step = max(1, NUMBERS_AT_A_TIME // max(1, rows * listed))
        for start in range(0, len(group.leaf), step):
            part = group[start : start + step]
            worth = forest.leaf_value[part.leaf].astype(np.float64)
            absent = cover_ratios(forest, part)
            bias += float(worth @ absent.prod(axis=1))
            slots = forest.slot[part.nodes]
            present = forest.goes_left(part.nodes[:, :, None], values[slots]) == part.goes_left[:, :, None]
            by_leaf = solve(worth, *merged_players(slots, present, absent))
            np.add.at(by_slot, slots.ravel(), by_leaf.reshape(slots.size, rows))
    result = np.zeros((rows, forest.features + 1))
    result[:, forest.used_features] = by_slot.T
    result[:, -1] = bias
    return result


def cover_ratios(forest: Forest, group: Paths) -> np.ndarray:
    """float64[k, L]: the cover of each split's child on the path, over the split's own."""
    cover = forest.cover.astype(np.float64)
    below = np.column_stack([group.nodes, group.leaf])[:, 1:]
    return cover[below] / cover[group.nodes]


def mean_margin(forest: Forest) -> float:
    """The mean of the trees' sum by cover, in float64: what is left where no feature is known, less the base margin."""
    total = 0.0
    for group in paths(forest):
        total += float(forest.leaf_value[group.leaf].astype(np.float64) @ cover_ratios(forest, group).prod(axis=1))
    return total


def merged_players(slots: np.ndarray, present: np.ndarray, absent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One player per feature: the splits that repeat a feature join its first, and leave a player worth nothing.

    slots: [k, L]; present: bool[k, L, rows]; absent: float64[k, L]; returns the merged ``present`` and ``absent``.
    A player that is 1 both present and absent changes no other's Shapley value, and has one of 0.
    """
    present, absent = present.copy(), absent.copy()
    for later in range(1, slots.shape[1]):
        same = slots[:, :later] == slots[:, later, None]
        path = np.flatnonzero(same.any(axis=1))
        first = same[path].argmax(axis=1)
        present[path, first] &= present[path, later]
        absent[path, first] *= absent[path, later]
        present[path, later] = True
        absent[path, later] = 1.0
    return present, absent


def by_subsets(worth: np.ndarray, present: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """float64[k, L, rows]: the players' Shapley values by the definition, from v of each of the 2^L subsets.

    worth: float64[k], the leaves' values; present: bool[k, L, rows]; absent: float64[k, L].
    """
    players, rows = present.shape[1:]
    table = np.repeat(worth[:, None, None], rows, axis=2)
    for player in range(players):  # bit i of a subset's number tells whether player i is in it
        without = table * absent[:, player, None, None]
        table = np.concatenate([without, table * present[:, None, player]], axis=1)
    return subset_weights(players) @ table


def subset_weights(players: int) -> np.ndarray:
    """float64[players, 2^players]: what v of a subset counts for in each player's Shapley value."""
    subsets = np.arange(2**players)
    size = np.bitwise_count(subsets)
    orders = np.array([factorial(n) for n in range(players + 1)], np.float64)
    inside = (subsets >> np.arange(players)[:, None]) & 1 == 1
    joined = orders[np.maximum(size, 1) - 1] * orders[players - size]
    left_out = orders[size] * orders[np.maximum(players - size, 1) - 1]
    return np.where(inside, joined, -left_out) / orders[players]


def by_integral(worth: np.ndarray, present: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """What `by_subsets` computes, for L of at least 1, in time that does not double with each split.

    The weight of a subset is a beta integral, so player i's value is worth * (present[i] - absent[i]) times the
    integral over t from 0 to 1 of the product of (t * present[j] + (1 - t) * absent[j]) over the others j. That is a
    polynomial of degree L - 1, which Gauss-Legendre quadrature with L/2 points, rounded up, integrates exactly.
    """
    factor_of_others = np.zeros(present.shape)
    for point, weight in zip(*unit_points((present.shape[1] + 1) // 2), strict=True):
        factors = point * present + (1 - point) * absent[:, :, None]
        ones = np.ones_like(factors[:, :1])
        before = np.cumprod(np.concatenate([ones, factors[:, :-1]], axis=1), axis=1)
        after = np.cumprod(np.concatenate([ones, factors[:, :0:-1]], axis=1), axis=1)[:, ::-1]
        factor_of_others += weight * before * after
    return worth[:, None, None] * (present - absent[:, :, None]) * factor_of_others
