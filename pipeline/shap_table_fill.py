"""The numbers in the tables of `shap_tables`: each leaf's SHAP values at each pattern of its group, in float64."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def fill_tables(
    feature: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    leaf_value: np.ndarray,
    cover: np.ndarray,
    slot: np.ndarray,
    node_column: np.ndarray,
    node_rank: np.ndarray,
    leaf_offsets: np.ndarray,
    leaves: np.ndarray,
    question_offsets: np.ndarray,
    pair_offsets: np.ndarray,
    table_offsets: np.ndarray,
    column: np.ndarray,
    rank: np.ndarray,
    rare_right: np.ndarray,
    features: np.ndarray,
    tables: np.ndarray,
    points: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Fill ``tables``; the arguments are fields of `Forest`, `ThresholdCodes` and `ShapTables`, and groups' leaves.

    points, weights: float64[k, k], of Gauss-Legendre quadrature from 0 to 1, by number of points.
    """
    parent = np.full(len(feature), -1, np.int64)
    for node in range(len(feature)):
        if left[node] >= 0:
            parent[left[node]] = node
            parent[right[node]] = node
    for group in range(len(leaf_offsets) - 1):
        questions = slice(question_offsets[group], question_offsets[group + 1])
        listed = features[2 * pair_offsets[group] : 2 * pair_offsets[group + 1]]
        patterns = 1 << (questions.stop - questions.start)
        sums = np.zeros((len(listed), patterns))
        for at in range(leaf_offsets[group], leaf_offsets[group + 1]):
            leaf = leaves[at]
            players, asked, wanted, absent = path_of(
                leaf, parent, right, cover, slot, node_column, node_rank, column[questions], rank[questions],
                rare_right[questions],
            )  # fmt: skip
            values = values_by_subset(float(leaf_value[leaf]), absent, points, weights)
            places = np.searchsorted(listed, players)
            for pattern in range(patterns):
                present = 0
                for player in range(len(players)):
                    if pattern & asked[player] == wanted[player]:
                        present |= 1 << player
                for player in range(len(players)):
                    sums[places[player], pattern] += values[present, player]
        start = table_offsets[group]
        for place in range(len(listed)):
            first = start + (place // 2) * patterns
            tables[first : first + patterns, place % 2] = sums[place]


@njit(cache=True, nogil=True)
def path_of(
    leaf: int,
    parent: np.ndarray,
    right: np.ndarray,
    cover: np.ndarray,
    slot: np.ndarray,
    node_column: np.ndarray,
    node_rank: np.ndarray,
    column: np.ndarray,
    rank: np.ndarray,
    rare_right: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The path to a leaf as players, one per feature on it.

    Returns features (positions in ``used_features``), the bits that each asks, those among them that must be set for
    the row to take the leaf's side, and the product of its cover ratios.
    """
    players = np.empty(len(column), np.int32)
    asked, wanted = np.zeros(len(column), np.int64), np.zeros(len(column), np.int64)
    absent = np.ones(len(column))
    count = 0
    node = leaf
    while parent[node] >= 0:
        split = parent[node]
        player = 0
        while player < count and players[player] != slot[split]:
            player += 1
        if player == count:
            players[count] = slot[split]
            count += 1
        bit = 0
        while column[bit] != node_column[split] or rank[bit] != node_rank[split]:
            bit += 1
        side = 1 if (node == right[split]) == rare_right[bit] else 0
        if asked[player] >> bit & 1 and wanted[player] >> bit & 1 != side:
            wanted[player] |= NEVER  # asked twice with two answers: no row comes here
        asked[player] |= 1 << bit
        wanted[player] |= side << bit
        absent[player] *= np.float64(cover[node]) / np.float64(cover[split])
        node = split
    return players[:count], asked[:count], wanted[:count], absent[:count]


NEVER = 1 << 62


@njit(cache=True, nogil=True)
def values_by_subset(
    worth: float,
    absent: np.ndarray,
    points: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """float64[2^k, k]: Shapley values of a leaf's k players, by the set of those present; see `shapley.by_integral`."""
    players = len(absent)
    values = np.zeros((1 << players, players))
    after = np.empty(players + 1)
    number = (players + 1) // 2
    for present in range(1 << players):
        for point in range(number):
            t = points[number, point]
            after[players] = 1.0
            for player in range(players - 1, -1, -1):
                after[player] = after[player + 1] * ((1 - t) * absent[player] + t * (present >> player & 1))
            before = weights[number, point] * worth
            for player in range(players):
                here = present >> player & 1
                values[present, player] += (here - absent[player]) * before * after[player + 1]
                before *= (1 - t) * absent[player] + t * here
    return values
