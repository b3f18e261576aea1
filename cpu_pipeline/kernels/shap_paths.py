"""SHAP values and interactions of trees too deep for tables, walked once per block of rows.

Memory grows with the depth and the cells alone.

With the features on a leaf's path as players, a Shapley value is an integral over t from 0 to 1 (`shapley.by_integral`)
of a product with one factor per player, ``t * present + (1 - t) * absent``. Gauss-Legendre quadrature makes it a sum
over points. On the way down each node keeps the product at each point; on the way up it adds up what its leaves give,
and each edge pays its player. An edge whose feature is on the path already replaces that player's factor, and takes
back from it what the leaves below would else give twice. An interaction has the coefficients of two players: each edge
pays its player's pairs with all others above, so that what an edge replaces is taken back there too.
"""

import numpy as np
from numba import njit

from ...pipeline.shap_table_fill import pair_cell

ROWS = 64
LEAST_ABSENT = 1e-30
"""In place of a cover of 0, so that no factor is 0; what it changes is far below a float32's last digit."""


@njit(cache=True, nogil=True)
def add_paths(
    codes: np.ndarray,
    roots: np.ndarray,
    depths: np.ndarray,
    feature: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    leaf_value: np.ndarray,
    cover: np.ndarray,
    slot: np.ndarray,
    node_column: np.ndarray,
    node_rank: np.ndarray,
    points: np.ndarray,
    weights: np.ndarray,
    pair_keys: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Add the values of the trees with these roots to ``sums``, float32[cells + 1, rows], 64 rows at a time.

    depths: the most splits on a path of each tree; points, weights: as of `unit_quadrature`; pair_keys: as in
    `ShapCells`; the rest as in `Forest` and `ThresholdCodes`.
    """
    if not len(roots):
        return
    deepest = depths.max() + 1
    most_points = points.shape[1]
    product = np.empty((deepest, most_points, ROWS))
    below = np.empty((deepest, most_points, ROWS))
    present = np.empty((deepest, ROWS), np.bool_)
    coefficient = np.empty((deepest, most_points, 3))
    total = np.empty((sums.shape[0], ROWS))
    for block in range(0, codes.shape[1], ROWS):
        total[:] = 0.0
        part = codes[:, block : block + ROWS]
        rows = part.shape[1]
        for tree in range(len(roots)):
            number = (depths[tree] + 1) // 2
            walk(
                part, roots[tree], feature, left, right, leaf_value, cover, slot, node_column, node_rank,
                points[number, :number], weights[number, :number], product, below, present[:, :rows], coefficient,
                pair_keys, total,
            )  # fmt: skip
        for place in range(total.shape[0]):
            for row in range(rows):
                sums[place, block + row] += np.float32(total[place, row])


@njit(cache=True, nogil=True)
def walk(
    codes: np.ndarray,
    root: int,
    feature: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    leaf_value: np.ndarray,
    cover: np.ndarray,
    slot: np.ndarray,
    node_column: np.ndarray,
    node_rank: np.ndarray,
    points: np.ndarray,
    weights: np.ndarray,
    product: np.ndarray,
    below: np.ndarray,
    present: np.ndarray,
    coefficient: np.ndarray,
    pair_keys: np.ndarray,
    total: np.ndarray,
) -> None:
    """One tree, at most 64 rows: down each edge with `enter`, up with `leave`, and `pay_pairs` where there are any."""
    deepest = product.shape[0]
    path = np.empty(deepest, np.int64)
    children_done = np.zeros(deepest, np.int64)
    absent = np.ones(deepest)
    earlier = np.full(deepest, -1, np.int64)
    product[0, : len(points)] = 1.0
    below[0, : len(points)] = 0.0
    path[0] = root
    depth = 0
    while depth >= 0:
        node = path[depth]
        if feature[node] >= 0 and children_done[depth] < 2:
            child = left[node] if children_done[depth] == 0 else right[node]
            children_done[depth] += 1
            depth += 1
            path[depth] = child
            children_done[depth] = 0
            earlier[depth] = -1
            for above in range(depth - 1, 0, -1):
                if slot[path[above - 1]] == slot[node]:
                    earlier[depth] = above
                    break
            ratio = np.float64(cover[child]) / np.float64(cover[node])
            before = absent[earlier[depth]] if earlier[depth] >= 0 else 1.0
            absent[depth] = max(before * ratio, LEAST_ABSENT)
            code, rank = codes[node_column[node]], node_rank[node]
            for row in range(present.shape[1]):
                present[depth, row] = (code[row] >= rank) == (child == right[node])
            enter(depth, earlier[depth], absent, points, weights, product, below, present, coefficient)
            continue
        if feature[node] < 0:
            for point in range(len(points)):
                for row in range(present.shape[1]):
                    below[depth, point, row] = leaf_value[node] * product[depth, point, row]
        if depth > 0:
            player = total[len(pair_keys) + slot[path[depth - 1]]]
            leave(depth, earlier[depth], len(points), below, present, coefficient, player)
            if len(pair_keys):
                pay_pairs(depth, slot[path[:depth]], earlier, absent, points, below, present, pair_keys, total)
        depth -= 1


@njit(cache=True, nogil=True)
def enter(
    depth: int,
    earlier: int,
    absent: np.ndarray,
    points: np.ndarray,
    weights: np.ndarray,
    product: np.ndarray,
    below: np.ndarray,
    present: np.ndarray,
    coefficient: np.ndarray,
) -> None:
    """The products at a child, by the row's side, and what each point of it will pay the edge's player.

    The three cases are: absent already at the feature's earlier split, absent since this one, present at both.
    """
    before = absent[earlier] if earlier >= 0 else 1.0
    here = absent[depth]
    if earlier >= 0:
        for row in range(present.shape[1]):
            present[depth, row] &= present[earlier, row]
    for point in range(len(points)):
        t = points[point]
        absent_before, present_before = (1 - t) * before, (1 - t) * before + t
        absent_here, present_here = (1 - t) * here, (1 - t) * here + t
        paid_absent, paid_present = -before / absent_before, (1 - before) / present_before
        coefficient[depth, point, 0] = weights[point] * (-here / absent_here - paid_absent)
        coefficient[depth, point, 1] = weights[point] * (-here / absent_here - paid_present)
        coefficient[depth, point, 2] = weights[point] * ((1 - here) / present_here - paid_present)
        factors = absent_here / absent_before, absent_here / present_before, present_here / present_before
        for row in range(present.shape[1]):
            was_present = earlier < 0 or present[earlier, row]
            factor = factors[2] if present[depth, row] else (factors[1] if was_present else factors[0])
            product[depth, point, row] = product[depth - 1, point, row] * factor
            below[depth, point, row] = 0.0


@njit(cache=True, nogil=True)
def leave(
    depth: int,
    earlier: int,
    number: int,
    below: np.ndarray,
    present: np.ndarray,
    coefficient: np.ndarray,
    player: np.ndarray,
) -> None:
    """Pay the player of the edge into a node, and pass on to the node above what the leaves give.

    What is paid at each point stays in ``below``.
    """
    for point in range(number):
        neither, lost, kept = coefficient[depth, point]
        for row in range(present.shape[1]):
            was_present = earlier < 0 or present[earlier, row]
            paid = kept if present[depth, row] else (lost if was_present else neither)
            below[depth - 1, point, row] += below[depth, point, row]
            below[depth, point, row] *= paid
            player[row] += below[depth, point, row]


@njit(cache=True, nogil=True)
def pay_pairs(
    depth: int,
    slots: np.ndarray,
    earlier: np.ndarray,
    absent: np.ndarray,
    points: np.ndarray,
    below: np.ndarray,
    present: np.ndarray,
    pair_keys: np.ndarray,
    total: np.ndarray,
) -> None:
    """Share what `leave` paid the edge's player with each other player above: half to a pair, taken from both players.

    slots: the features of the edges down to the node; an edge that a later one of the same feature replaces is no
    player.
    """
    features = total.shape[0] - 1 - len(pair_keys)
    rows = present.shape[1]
    shared = np.empty(rows)
    own = slots[depth - 1]
    for above in range(1, depth):
        other = slots[above - 1]
        if other == own or np.any(earlier[above + 1 : depth] == above):
            continue
        shared[:] = 0.0
        for point in range(len(points)):
            t = points[point]
            if_absent = -0.5 / (1 - t)
            if_present = 0.5 * (1 - absent[above]) / ((1 - t) * absent[above] + t)
            for row in range(rows):
                shared[row] += below[depth, point, row] * (if_present if present[above, row] else if_absent)
        pair = total[pair_cell(own, other, pair_keys, features)]
        one, two = total[len(pair_keys) + own], total[len(pair_keys) + other]
        for row in range(rows):
            pair[row] += shared[row]
            one[row] -= shared[row]
            two[row] -= shared[row]
