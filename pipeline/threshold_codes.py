"""8-bit codes of a feature's value among the thresholds of a forest: a split is then one comparison of bytes.

A *coded column* holds up to 255 thresholds of one feature, all of splits that send a missing value to the same side.
The code of a value is the number of these thresholds that are not above it; the code of a missing value is 0 where it
goes left and 255 where it goes right. A split is the *rank* of its threshold in its coded column, 1 to 255, and

    the row goes right  <=>  code of the row in the split's coded column >= rank of the split.

A feature has one coded column for each side that its missing values take, and more where it has over 255 thresholds.

A categorical split has a coded column of its own, which equal ones share. Its thresholds are the values at which
membership in the set of categories changes, so that a value is in the set where an odd number of them is not above it:
the code is that parity, and the rank of the split is 1. A missing value is 0 or 1 there.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .forest import Forest

THRESHOLDS_PER_COLUMN = 255
MISSING_GOES_RIGHT = 255


@dataclass(frozen=True)
class ThresholdCodes:
    """The coded columns of a forest, and where in them its splits are.

    feature: int32[columns], ascending: the feature that a coded column reads.
    columns_of: int32[features + 1]: feature f has the coded columns ``columns_of[f]`` to ``columns_of[f + 1]``.
    missing: uint8[columns], the code of a missing value: 0 or 255, of categories 0 or 1.
    offsets: int64[columns + 1]: column c has the thresholds ``offsets[c]`` to ``offsets[c + 1]``.
    thresholds: float32, ascending within a column, without repeats.
    sets: int32, ascending: the columns of categories.
    node_column: int32[nodes], the coded column that a split reads; -1 at a leaf.
    node_rank: uint8[nodes], the rank of a split in its column; 0 at a leaf.
    """

    feature: np.ndarray
    columns_of: np.ndarray
    missing: np.ndarray
    offsets: np.ndarray
    thresholds: np.ndarray
    sets: np.ndarray
    node_column: np.ndarray
    node_rank: np.ndarray

    @classmethod
    def of(cls, forest: Forest) -> "ThresholdCodes":
        """The codes that all splits of the forest need."""
        split = np.flatnonzero(forest.feature >= 0)
        categorical = np.isnan(forest.threshold[split])
        numeric, sets = _numeric(forest, split[~categorical]), _sets(forest, split[categorical])
        feature = np.concatenate([numeric.feature, sets.feature])
        order = np.argsort(feature, kind="stable")
        position = np.empty(len(order), np.int32)
        position[order] = np.arange(len(order))
        node_column = np.full(len(forest.feature), -1, np.int32)
        node_column[split[~categorical]] = position[numeric.node_column]
        node_column[split[categorical]] = position[len(numeric.feature) + sets.node_column]
        node_rank = np.zeros(len(forest.feature), np.uint8)
        node_rank[split[~categorical]], node_rank[split[categorical]] = numeric.node_rank, sets.node_rank
        thresholds = [*numeric.thresholds, *sets.thresholds]
        missing = np.concatenate([numeric.right * np.uint8(MISSING_GOES_RIGHT), sets.right.astype(np.uint8)])
        return cls(
            feature=feature[order],
            columns_of=np.searchsorted(feature[order], np.arange(forest.features + 1)).astype(np.int32),
            missing=missing[order],
            offsets=np.cumsum([0, *(len(thresholds[column]) for column in order)], dtype=np.int64),
            thresholds=np.concatenate([np.empty(0, np.float32), *(thresholds[column] for column in order)]),
            sets=np.sort(position[len(numeric.feature) :]),
            node_column=node_column,
            node_rank=node_rank,
        )

    @property
    def layout(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What the kernels that encode rows read, in their order."""
        return self.columns_of, self.missing, self.offsets, self.thresholds, self.sets

    def encode(self, column: int, values: np.ndarray) -> np.ndarray:
        """uint8: codes in a coded column of its feature's values (float32, NaN where missing)."""
        thresholds = self.thresholds[self.offsets[column] : self.offsets[column + 1]]
        codes = np.searchsorted(thresholds, values, side="right").astype(np.uint8)
        if column in self.sets:
            codes &= 1
        return np.where(np.isnan(values), self.missing[column], codes)


class _Columns(NamedTuple):
    """Coded columns of some splits: feature, int32; right, bool, whether missing goes there; each one's thresholds,
    float32; and of each split node_column, int64, and node_rank, uint8.
    """

    feature: np.ndarray
    right: np.ndarray
    thresholds: list[np.ndarray]
    node_column: np.ndarray
    node_rank: np.ndarray


def _numeric(forest: Forest, split: np.ndarray) -> _Columns:
    keys = np.empty(len(split), [("feature", np.int32), ("right", bool), ("threshold", np.float32)])
    keys["feature"] = forest.feature[split]
    keys["right"] = ~forest.default_left[split]
    keys["threshold"] = forest.threshold[split] + np.float32(0)  # -0 is 0
    distinct, which = np.unique(keys, return_inverse=True)
    new_side = np.ones(len(distinct), bool)
    sides = distinct[["feature", "right"]]
    new_side[1:] = sides[1:] != sides[:-1]
    position = np.arange(len(distinct))
    rank = (position - np.maximum.accumulate(np.where(new_side, position, 0))) % THRESHOLDS_PER_COLUMN
    starts = np.flatnonzero(rank == 0)
    return _Columns(
        feature=distinct["feature"][starts],
        right=distinct["right"][starts],
        thresholds=np.split(distinct["threshold"], starts[1:]) if len(starts) else [],
        node_column=(np.cumsum(rank == 0) - 1)[which],
        node_rank=(rank[which] + 1).astype(np.uint8),
    )


def _sets(forest: Forest, split: np.ndarray) -> _Columns:
    sides = zip(forest.feature[split].tolist(), (~forest.default_left[split]).tolist(), strict=True)
    places = zip(forest.category_offsets[split], forest.category_offsets[split + 1], strict=True)
    keys = [(*side, forest.categories[slice(*place)].tobytes()) for side, place in zip(sides, places, strict=True)]
    column = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    sets = [np.frombuffer(categories, np.int32) for _, _, categories in column]
    return _Columns(
        feature=np.array([feature for feature, _, _ in column], np.int32),
        right=np.array([right for _, right, _ in column], bool),
        # Where a category or the one before it is in the set, but not both.
        thresholds=[np.setxor1d(chosen, chosen + 1).astype(np.float32) for chosen in sets],
        node_column=np.array([column[key] for key in keys], np.int64),
        node_rank=np.ones(len(split), np.uint8),
    )
