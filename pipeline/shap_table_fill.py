"""The numbers in the tables of `shap_tables`: what each leaf gives at each pattern of its group, in float64."""

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
    cells: np.ndarray,
    pair_keys: np.ndarray,
    features: int,
    tables: np.ndarray,
    points: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Fill ``tables``; the arguments are fields of `Forest`, `ThresholdCodes` and `ShapTables`, and groups' leaves.

    cells: the `ShapCells` of all groups' tables; pair_keys, features: their keys, and how many features there are.
    points, weights: float64[k, k], of Gauss-Legendre quadrature from 0 to 1, by number of points.
    """
    parent = np.full(len(feature), -1, np.int64)
    for node in range(len(feature)):
        if left[node] >= 0:
            parent[left[node]] = node
            parent[right[node]] = node
    for group in range(len(leaf_offsets) - 1):
        questions = slice(question_offsets[group], question_offsets[group + 1])
        listed = cells[2 * pair_offsets[group] : 2 * pair_offsets[group + 1]]
        patterns = 1 << (questions.stop - questions.start)
        sums = np.zeros((len(listed), patterns))
        for at in range(leaf_offsets[group], leaf_offsets[group + 1]):
            leaf = leaves[at]
            players, asked, wanted, absent = path_of(
                leaf, parent, right, cover, slot, node_column, node_rank, column[questions], rank[questions],
                rare_right[questions],
            )  # fmt: skip
            given = cells_of(players, pair_keys, features)
            values = values_by_subset(float(leaf_value[leaf]), absent, len(pair_keys) > 0, points, weights)
            places = np.searchsorted(listed, given)
            present = present_by_pattern(patterns, asked, wanted)
            for cell in range(len(given)):
                total, value = sums[places[cell]], values[cell]
                for pattern in range(patterns):
                    total[pattern] += value[present[pattern]]
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
def present_by_pattern(patterns: int, asked: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """uint16[patterns]: the set of players, as bits, that take a leaf's side at each pattern; see `path_of`."""
    present = np.zeros(patterns, np.uint16)
    for player in range(len(asked)):
        bit, mask, side = np.uint16(1 << player), asked[player], wanted[player]
        for pattern in range(patterns):
            present[pattern] |= bit if pattern & mask == side else np.uint16(0)
    return present


@njit(cache=True, nogil=True)
def pair_cell(one: int, other: int, pair_keys: np.ndarray, features: int) -> int:
    """The cell of two features that meet on a path."""
    return int(np.searchsorted(pair_keys, min(one, other) * features + max(one, other)))


@njit(cache=True, nogil=True)
def cells_of(players: np.ndarray, pair_keys: np.ndarray, features: int) -> np.ndarray:
    """int64: the cells of a leaf's players, then of their pairs if there are any, in order of `values_by_subset`."""
    count = len(players)
    cells = np.empty(count + (count * (count - 1) // 2 if len(pair_keys) else 0), np.int64)
    cells[:count] = len(pair_keys) + players
    place = count
    if len(pair_keys):
        for player in range(count):
            for other in range(player + 1, count):
                cells[place] = pair_cell(players[player], players[other], pair_keys, features)
                place += 1
    return cells


@njit(cache=True, nogil=True)
def values_by_subset(
    worth: float,
    absent: np.ndarray,
    with_pairs: bool,
    points: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """float64[cells, 2^k]: what a leaf gives to its k players, by the set of those present.

    Without pairs that is their Shapley values, as `shapley.by_integral`. With pairs it is the players' values less
    their interactions, and then the interactions: first player with second, first with third, and so on. They are half
    of the Shapley interaction index, whose weights are a beta integral too: worth * the product of present - absent of
    both, times the integral of the others' product (Lundberg, Erion and Lee 2018, section 4).

    Subsets are the inner loops, so that many are computed at once.
    """
    players, subsets = len(absent), 1 << len(absent)
    values = np.zeros((players + (players * (players - 1) // 2 if with_pairs else 0), subsets))
    after, before, between = np.empty((players + 1, subsets)), np.empty(subsets), np.empty(subsets)
    number = (players + 1) // 2
    for point in range(number):
        t = points[number, point]
        after[players, :] = 1.0
        for player in range(players - 1, -1, -1):
            times_factor(after[player + 1], player, absent[player], t, after[player])
        before[:] = weights[number, point] * worth
        pair = players
        for player in range(players):
            add_change(before, player, absent[player], after[player + 1], values[player])
            if with_pairs:
                for present in range(subsets):
                    between[present] = 0.5 * ((present >> player & 1) - absent[player]) * before[present]
                for other in range(player + 1, players):
                    add_change(between, other, absent[other], after[other + 1], values[pair])
                    times_factor(between, other, absent[other], t, between)
                    pair += 1
            times_factor(before, player, absent[player], t, before)
    pair = players
    for player in range(players if with_pairs else 0):
        for other in range(player + 1, players):
            values[player] -= values[pair]
            values[other] -= values[pair]
            pair += 1
    return values


@njit(cache=True, nogil=True)
def times_factor(product: np.ndarray, player: int, absent: float, t: float, result: np.ndarray) -> None:
    """``result``: the product of each subset times a player's factor at t; all float64[2^k]."""
    without = (1 - t) * absent
    for present in range(len(product)):
        result[present] = product[present] * (without + t * (present >> player & 1))


@njit(cache=True, nogil=True)
def add_change(before: np.ndarray, player: int, absent: float, after: np.ndarray, values: np.ndarray) -> None:
    """Add to ``values`` present - absent of a player times the others' products before and after it."""
    for present in range(len(values)):
        values[present] += ((present >> player & 1) - absent) * before[present] * after[present]
