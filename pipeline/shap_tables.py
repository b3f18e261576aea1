"""Pattern tables: path-dependent SHAP values and interactions as look-ups, in the layout that every engine reads.

What a leaf gives to a row depends on the row only through its answers to the splits on the leaf's path. A *group* is a
set of leaves, those below one node of a tree, with all *questions* (distinct splits) on their paths, at most
`MOST_QUESTIONS`. The answers are a *pattern*, one bit each, and the group's table holds, for each pattern and each
cell (`ShapCells`: a feature, or a pair of features that interact), the sum over its leaves. A row costs one look-up per
group and cell, whatever the leaves.

Cells lie in a table two by two, so that one load of 8 bytes fetches both; an odd one has a scrap partner of zeros.
Bit 1 is the answer of fewer training records (by cover), and the rarest answers are the highest bits: most rows then
meet the patterns at the start of a table, and the rest of it stays out of the cache.

Trees are cut into groups by a model of the cost, in which a byte of table has a price; the price is raised until all
tables fit in `MOST_BYTES`. Trees that are cheaper on their paths (deep ones) are left out: see `uncovered_trees`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from .errors import UnsupportedModelError
from .forest import Forest
from .quadrature import unit_quadrature
from .shap_cells import ShapCells
from .threshold_codes import ThresholdCodes

NumberedT = TypeVar("NumberedT")

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
    of cells ``pair_offsets[g]`` to ``pair_offsets[g + 1]``, and for its p-th pair the table

        ``tables[table_offsets[g] + p * 2^questions + pattern]``, the two cells' values at a pattern.

    question_offsets, pair_offsets: int64[G + 1]; table_offsets: int64[G].
    column, rank: int32 and uint8, one of each question: a coded column and a rank in it (`ThresholdCodes`).
    rare_right: bool: whether going right is bit 1, else going left.
    pairs: int32[pairs, 2]: numbers of `ShapCells`, the scrap among them.
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
    def of(
        cls, forest: Forest, codes: ThresholdCodes, most_bytes: int = MOST_BYTES, cells: ShapCells | None = None
    ) -> "ShapTables":
        """Tables of all trees that are worth it within ``most_bytes``; without ``cells``, of the features' values.

        Raises:
            UnsupportedModelError: a split has no cover, so that its children have no weights.

        """
        if not (forest.cover[forest.feature >= 0] > 0).all():
            raise UnsupportedModelError("a split of the model has a cover of 0, so SHAP values are not defined")
        cells = cells or ShapCells.of_features(forest)
        nodes = _Nodes.of(forest, codes)
        trees = [_Tree(nodes, cells, root) for root in forest.tree_offsets[:-1].tolist()]
        chosen = _chosen(trees, most_bytes)
        uncovered = [tree for tree, groups in enumerate(chosen) if groups is None]
        every = [tree.listed(group) for tree, groups in zip(trees, chosen, strict=True) for group in groups or ()]
        return _filled(forest, codes, cells, every, np.array(uncovered, np.int64))


class _Nodes(NamedTuple):
    """What is asked of the nodes of a forest, as lists: their items are read many times faster than an array's.

    questions: (column, rank). features: positions in ``used_features``. Both mean nothing at a leaf.
    """

    left: list[int]
    right: list[int]
    questions: list[tuple[int, int]]
    features: list[int]

    @classmethod
    def of(cls, forest: Forest, codes: ThresholdCodes) -> "_Nodes":
        questions = zip(codes.node_column.tolist(), codes.node_rank.tolist(), strict=True)
        return cls(forest.left.tolist(), forest.right.tolist(), list(questions), forest.slot.tolist())


class _Group(NamedTuple):
    """The leaves below one node, what their paths ask, and the cells that they give to: a tree's numbers, as bits."""

    node: int
    questions: int
    cells: int


class _ListedGroup(NamedTuple):
    """A group's leaves, what they ask (column, rank), and the `ShapCells` that they give to."""

    leaves: list[int]
    questions: list[tuple[int, int]]
    cells: list[int]


def _pairs(numbers: int) -> int:
    return (numbers + 1) // 2


def _table_bytes(group: _Group) -> int:
    return _pairs(group.cells.bit_count()) << (group.questions.bit_count() + 3)


class _Tree:
    """A tree's nodes from the root on, and at each the group below it, where that is no more than a table can have."""

    def __init__(self, nodes: _Nodes, cells: ShapCells, root: int) -> None:
        self.nodes = nodes
        self.order: list[int] = []
        self.question_numbers: dict[tuple[int, int], int] = {}
        self.cell_numbers: dict[int, int] = {}
        self.candidates: dict[int, _Group] = {}
        longest = 0
        waiting: list[tuple[int, int, int, tuple[int, ...]]] = [(root, 0, 0, ())]
        while waiting:
            node, questions, given, features = waiting.pop()
            self.order.append(node)
            longest = max(longest, len(features))
            if nodes.left[node] < 0:
                self._offer(_Group(node, questions, given))
                continue
            questions |= _bit(self.question_numbers, nodes.questions[node])
            if (feature := nodes.features[node]) not in features:
                if questions.bit_count() <= MOST_QUESTIONS:  # beyond them no leaf is in a group
                    for cell in cells.of_split(feature, features):
                        given |= _bit(self.cell_numbers, cell)
                features = *features, feature
            waiting += (nodes.left[node], questions, given, features), (nodes.right[node], questions, given, features)
        for node in reversed(self.order):
            one, other = self.candidates.get(nodes.left[node]), self.candidates.get(nodes.right[node])
            if one is not None and other is not None:
                self._offer(_Group(node, one.questions | other.questions, one.cells | other.cells))
        cells_of_an_edge = cells.of_path(longest) / max(1, longest)
        self.path_cost = _PER_NODE_AND_POINT_OF_A_PATH * len(self.order) * _pairs(longest) * cells_of_an_edge

    def _offer(self, group: _Group) -> None:
        if group.questions.bit_count() <= MOST_QUESTIONS:
            self.candidates[group.node] = group

    def listed(self, group: _Group) -> _ListedGroup:
        """The group's leaves, questions and cells."""
        leaves: list[int] = []
        waiting = [group.node]
        while waiting:
            node = waiting.pop()
            if self.nodes.left[node] < 0:
                leaves.append(node)
            else:
                waiting += self.nodes.right[node], self.nodes.left[node]
        questions = [question for question, number in self.question_numbers.items() if group.questions >> number & 1]
        cells = [cell for cell, number in self.cell_numbers.items() if group.cells >> number & 1]
        return _ListedGroup(leaves, questions, cells)

    def groups(self, price: float) -> list[_Group] | None:
        """The cheapest cut into groups at a price of a byte; None where paths are cheaper."""
        best: dict[int, tuple[float, list[_Group]]] = {}
        for node in reversed(self.order):
            apart = (float("inf"), [])
            if self.nodes.left[node] >= 0:
                one, other = best.pop(self.nodes.left[node]), best.pop(self.nodes.right[node])
                apart = one[0] + other[0], one[1] + other[1]
            group = self.candidates.get(node)
            if group is not None and (cost := _cost(group, price)) <= apart[0]:
                apart = cost, [group]
            best[node] = apart
        cost, groups = best[self.order[0]]
        return groups if cost <= self.path_cost else None


def _bit(numbers: dict[NumberedT, int], item: NumberedT) -> int:
    """The item's number as a bit; an item that is new gets the next number."""
    return 1 << numbers.setdefault(item, len(numbers))


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
    questions, pairs = group.questions.bit_count(), _pairs(group.cells.bit_count())
    return _PER_GROUP + _PER_QUESTION * questions + _PER_PAIR * pairs + price * _table_bytes(group)


def _filled(
    forest: Forest, codes: ThresholdCodes, cells: ShapCells, groups: Sequence[_ListedGroup], uncovered: np.ndarray
) -> ShapTables:
    from .shap_table_fill import fill_tables

    share_right = _share_right(forest, codes)
    bits = [
        sorted(group.questions, key=lambda asked: -min(share_right[asked], 1 - share_right[asked])) for group in groups
    ]
    given = [sorted(group.cells) for group in groups]
    for listed in given:
        if len(listed) % 2:
            listed.append(cells.scrap)
    entries = np.array([len(c) // 2 << len(b) for c, b in zip(given, bits, strict=True)], np.int64)
    tables = ShapTables(
        question_offsets=_offsets([len(asked) for asked in bits]),
        pair_offsets=_offsets([len(listed) // 2 for listed in given]),
        table_offsets=_offsets(entries)[:-1],
        column=np.array([column for asked in bits for column, _ in asked], np.int32),
        rank=np.array([rank for asked in bits for _, rank in asked], np.uint8),
        rare_right=np.array([share_right[question] < 0.5 for asked in bits for question in asked], bool),
        pairs=np.array([cell for listed in given for cell in listed], np.int32).reshape(-1, 2),
        tables=np.zeros((entries.sum(), 2), np.float32),
        uncovered_trees=uncovered,
    )
    fill_tables(
        *(forest.feature, forest.left, forest.right, forest.leaf_value, forest.cover, forest.slot.astype(np.int32)),
        *(codes.node_column, codes.node_rank),
        *(_offsets([len(group.leaves) for group in groups]), _leaves(groups)),
        *(tables.question_offsets, tables.pair_offsets, tables.table_offsets),
        *(tables.column, tables.rank, tables.rare_right, tables.pairs.ravel(), cells.keys, cells.features),
        tables.tables,
        *unit_quadrature((MOST_QUESTIONS + 1) // 2),
    )
    return tables


def _leaves(groups: Sequence[_ListedGroup]) -> np.ndarray:
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


def _offsets(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
