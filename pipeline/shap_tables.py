"""Pattern tables: the path-dependent SHAP values of a forest as look-ups, in the layout that every engine reads.

What a leaf gives to a row depends on the row only through its answers to the splits on the leaf's path. A *group* is a
set of leaves, those below one node of a tree, with all *questions* (distinct splits) on their paths, at most
`MOST_QUESTIONS`. The answers are a *pattern*, one bit each, and the group's table holds, for each pattern and each
feature asked about, the sum over its leaves. A row costs one look-up per group and feature, whatever the leaves.

Features lie in a table two by two, so that one load of 8 bytes fetches both; an odd one has a scrap partner of zeros.
Bit 1 is the answer of fewer training records (by cover), and the rarest answers are the highest bits: most rows then
meet the patterns at the start of a table, and the rest of it stays out of the cache.

Trees are cut into groups by a model of the cost, in which a byte of table has a price; the price is raised until all
tables fit in `MOST_BYTES`. Trees that are cheaper on their paths (deep ones) are left out: see `uncovered_trees`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import UnsupportedModelError
from .forest import Forest
from .threshold_codes import ThresholdCodes

MOST_QUESTIONS = 12
MOST_BYTES = 160 << 20

# Nanoseconds per row, as measured on one core with AVX-512; only their proportions matter.
_PER_GROUP = 0.05
_PER_QUESTION = 0.04
_PER_PAIR = 0.24
_PER_BYTE = 1e-5 / 4
_PER_NODE_AND_POINT_OF_A_PATH = 2.0


@dataclass(frozen=True)
class ShapTables:
    """Groups and their tables.

    A group g of G has the questions ``question_offsets[g]`` to ``question_offsets[g + 1]`` (from bit 0 on), the pairs
    of features ``pair_offsets[g]`` to ``pair_offsets[g + 1]``, and for its p-th pair the table

        ``tables[table_offsets[g] + p * 2^questions + pattern]``, the two features' values at a pattern.

    question_offsets, pair_offsets: int64[G + 1]; table_offsets: int64[G].
    column, rank: int32 and uint8, one of each question: a coded column and a rank in it (`ThresholdCodes`).
    rare_right: bool: whether going right is bit 1, else going left.
    pairs: int32[pairs, 2]: positions in ``forest.used_features``; their number stands for no feature.
    tables: float32[entries, 2].
    uncovered_trees: int64, ascending: trees that are not in the tables.
    """

    question_offsets: np.ndarray
    pair_offsets: np.ndarray
    table_offsets: np.ndarray
    column: np.ndarray
    rank: np.ndarray
    rare_right: np.ndarray
    pairs: np.ndarray
    tables: np.ndarray
    uncovered_trees: np.ndarray

    @classmethod
    def of(cls, forest: Forest, codes: ThresholdCodes, most_bytes: int = MOST_BYTES) -> "ShapTables":
        """Tables of all trees that are worth it within ``most_bytes``.

        Raises:
            UnsupportedModelError: a split has no cover, so that its children have no weights.

        """
        if not (forest.cover[forest.feature >= 0] > 0).all():
            raise UnsupportedModelError("a split of the model has a cover of 0, so SHAP values are not defined")
        trees = [_Tree(forest, codes, root) for root in forest.tree_offsets[:-1]]
        chosen = _chosen(trees, most_bytes)
        uncovered = [tree for tree, groups in enumerate(chosen) if groups is None]
        every = [group for groups in chosen for group in groups or ()]
        return _filled(forest, codes, every, np.array(uncovered, np.int64))


@dataclass(frozen=True)
class _Group:
    """Leaves below one node, what they ask (column, rank), and which features (positions in ``used_features``)."""

    leaves: list[int]
    questions: frozenset[tuple[int, int]]
    features: frozenset[int]


def _pairs(features: int) -> int:
    return (features + 1) // 2


def _table_bytes(group: "_Group") -> int:
    return _pairs(len(group.features)) << (len(group.questions) + 3)


class _Tree:
    """A tree's nodes from the root on, with what is asked above and below each of them."""

    def __init__(self, forest: Forest, codes: ThresholdCodes, root: int) -> None:
        left, right = forest.left, forest.right
        self.order: list[int] = []
        self.children: dict[int, tuple[int, int]] = {}
        above: dict[int, frozenset[tuple[int, int]]] = {int(root): frozenset()}
        features_above: dict[int, frozenset[int]] = {int(root): frozenset()}
        depth = {int(root): 0}
        waiting = [int(root)]
        question: dict[int, tuple[int, int]] = {}
        while waiting:
            node = waiting.pop()
            self.order.append(node)
            if left[node] < 0:
                continue
            question[node] = int(codes.node_column[node]), int(codes.node_rank[node])
            self.children[node] = int(left[node]), int(right[node])
            for child in self.children[node]:
                above[child] = above[node] | {question[node]}
                features_above[child] = features_above[node] | {int(forest.slot[node])}
                depth[child] = depth[node] + 1
                waiting.append(child)
        most_features = max(len(features_above[node]) for node in self.order)
        self.path_cost = _PER_NODE_AND_POINT_OF_A_PATH * len(self.order) * _pairs(most_features)
        self.candidates = self._candidates(forest, question, above, features_above)

    def _candidates(self, forest: Forest, question: dict, above: dict, features_above: dict) -> dict[int, _Group]:
        """The group at each node where it has no more questions than a table can have."""
        below: dict[int, _Group] = {}
        found: dict[int, _Group] = {}
        for node in reversed(self.order):
            if node not in self.children:
                below[node] = _Group([node], frozenset(), frozenset())
            elif all(child in below for child in self.children[node]):
                one, other = (below.pop(child) for child in self.children[node])
                below[node] = _Group(
                    one.leaves + other.leaves,
                    one.questions | other.questions | {question[node]},
                    one.features | other.features | {int(forest.slot[node])},
                )
            if node not in below:
                continue
            questions = below[node].questions | above[node]
            if len(questions) <= MOST_QUESTIONS:
                found[node] = _Group(below[node].leaves, questions, below[node].features | features_above[node])
            elif len(below[node].questions) > MOST_QUESTIONS:
                del below[node]
        return found

    def groups(self, price: float) -> list[_Group] | None:
        """The cheapest cut into groups at a price of a byte; None where paths are cheaper."""
        best: dict[int, tuple[float, list[_Group]]] = {}
        for node in reversed(self.order):
            apart = (float("inf"), [])
            if node in self.children:
                one, other = (best.pop(child) for child in self.children[node])
                apart = one[0] + other[0], one[1] + other[1]
            group = self.candidates.get(node)
            if group is not None and (cost := _cost(group, price)) <= apart[0]:
                apart = cost, [group]
            best[node] = apart
        cost, groups = best[self.order[0]]
        return groups if cost <= self.path_cost else None


def _chosen(trees: Sequence[_Tree], most_bytes: int) -> list[list[_Group] | None]:
    """Each tree's groups, or None, at the lowest price at which they fit; what is left over goes to trees left out."""
    price, fuller = _PER_BYTE, [tree.groups(_PER_BYTE) for tree in trees]
    chosen = fuller
    while _bytes(chosen) > most_bytes:
        fuller, price = chosen, 2 * price
        chosen = [tree.groups(price) for tree in trees]
    spent = _bytes(chosen)
    for tree, groups in enumerate(fuller):
        if chosen[tree] is None and groups is not None and spent + _bytes([groups]) <= most_bytes:
            chosen[tree] = groups
            spent += _bytes([groups])
    return chosen


def _bytes(chosen: Sequence[list[_Group] | None]) -> int:
    return sum(_table_bytes(group) for groups in chosen for group in groups or ())


def _cost(group: _Group, price: float) -> float:
    questions, pairs = len(group.questions), _pairs(len(group.features))
    return _PER_GROUP + _PER_QUESTION * questions + _PER_PAIR * pairs + price * _table_bytes(group)


def _filled(forest: Forest, codes: ThresholdCodes, groups: Sequence[_Group], uncovered: np.ndarray) -> ShapTables:
    from .shap_table_fill import fill_tables

    share_right = _share_right(forest, codes)
    bits = [
        sorted(group.questions, key=lambda asked: -min(share_right[asked], 1 - share_right[asked])) for group in groups
    ]
    features = [sorted(group.features) for group in groups]
    for listed in features:
        if len(listed) % 2:
            listed.append(len(forest.used_features))
    entries = np.array([len(f) // 2 << len(b) for f, b in zip(features, bits, strict=True)], np.int64)
    tables = ShapTables(
        question_offsets=_offsets([len(asked) for asked in bits]),
        pair_offsets=_offsets([len(listed) // 2 for listed in features]),
        table_offsets=_offsets(entries)[:-1],
        column=np.array([column for asked in bits for column, _ in asked], np.int32),
        rank=np.array([rank for asked in bits for _, rank in asked], np.uint8),
        rare_right=np.array([share_right[question] < 0.5 for asked in bits for question in asked], bool),
        pairs=np.array([feature for listed in features for feature in listed], np.int32).reshape(-1, 2),
        tables=np.zeros((entries.sum(), 2), np.float32),
        uncovered_trees=uncovered,
    )
    fill_tables(
        *(forest.feature, forest.left, forest.right, forest.leaf_value, forest.cover, forest.slot.astype(np.int32)),
        *(codes.node_column, codes.node_rank),
        *(_offsets([len(group.leaves) for group in groups]), _leaves(groups)),
        *(tables.question_offsets, tables.pair_offsets, tables.table_offsets),
        *(tables.column, tables.rank, tables.rare_right, tables.pairs.ravel(), tables.tables),
        *unit_quadrature((MOST_QUESTIONS + 1) // 2),
    )
    return tables


def _leaves(groups: Sequence[_Group]) -> np.ndarray:
    return np.array([leaf for group in groups for leaf in group.leaves], np.int64)


def _share_right(forest: Forest, codes: ThresholdCodes) -> dict[tuple[int, int], float]:
    """How many of the training records that met a question went right, by cover."""
    split = np.flatnonzero(forest.feature >= 0)
    went: dict[tuple[int, int], list[float]] = {}
    asked = zip(codes.node_column[split].tolist(), codes.node_rank[split].tolist(), strict=True)
    covers = zip(forest.cover[forest.right[split]].tolist(), forest.cover[split].tolist(), strict=True)
    for question, (right, both) in zip(asked, covers, strict=True):
        total = went.setdefault(question, [0.0, 0.0])
        total[0] += right
        total[1] += both
    return {question: right / both for question, (right, both) in went.items()}


def unit_quadrature(most: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights, float64[most + 1, most] both, of Gauss-Legendre quadrature from 0 to 1: n points in row n.

    It is exact for polynomials up to degree 2n - 1.
    """
    points, weights = np.zeros((2, most + 1, most))
    for number in range(1, most + 1):
        at, weight = np.polynomial.legendre.leggauss(number)
        points[number, :number], weights[number, :number] = (at + 1) / 2, weight / 2
    return points, weights


def _offsets(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
