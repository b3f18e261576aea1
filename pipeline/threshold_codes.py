"""8-bit codes of a feature's value among the thresholds of a forest: a split is then one comparison of bytes.

A *coded column* holds up to 255 thresholds of one feature, all of splits that send a missing value to the same side.
The code of a value is the number of these thresholds that are not above it; the code of a missing value is 0 where it
goes left and 255 where it goes right. A split is the *rank* of its threshold in its coded column, 1 to 255, and

    the row goes right  <=>  code of the row in the split's coded column >= rank of the split.

A feature has one coded column for each side that its missing values take, and more where it has over 255 thresholds.
"""

from dataclasses import dataclass

import numpy as np

from .forest import Forest

THRESHOLDS_PER_COLUMN = 255
MISSING_GOES_RIGHT = 255


@dataclass(frozen=True)
class ThresholdCodes:
    """The coded columns of a forest, and where in them its splits are.

    feature: int32[columns], ascending: the feature that a coded column reads.
    columns_of: int32[features + 1]: feature f has the coded columns ``columns_of[f]`` to ``columns_of[f + 1]``.
    missing: uint8[columns], the code of a missing value: 0 or 255.
    offsets: int64[columns + 1]: column c has the thresholds ``offsets[c]`` to ``offsets[c + 1]``.
    thresholds: float32, ascending within a column, without repeats.
    node_column: int32[nodes], the coded column that a split reads; -1 at a leaf.
    node_rank: uint8[nodes], the rank of a split in its column; 0 at a leaf.
    """

    feature: np.ndarray
    columns_of: np.ndarray
    missing: np.ndarray
    offsets: np.ndarray
    thresholds: np.ndarray
    node_column: np.ndarray
    node_rank: np.ndarray

    @classmethod
    def of(cls, forest: Forest) -> "ThresholdCodes":
        """The codes that all splits of the forest need."""
        split = np.flatnonzero(forest.feature >= 0)
        keys = np.empty(len(split), [("feature", np.int32), ("right", bool), ("threshold", np.float32)])
        keys["feature"] = forest.feature[split]
        keys["right"] = ~forest.default_left[split]
        keys["threshold"] = forest.threshold[split] + np.float32(0)  # -0 is 0
        distinct, which = np.unique(keys, return_inverse=True)
        new_side = np.ones(len(distinct), bool)
        sides = distinct[["feature", "right"]]
        new_side[1:] = sides[1:] != sides[:-1]
        position = np.arange(len(distinct))
        rank = position - np.maximum.accumulate(np.where(new_side, position, 0))
        starts = np.flatnonzero(rank % THRESHOLDS_PER_COLUMN == 0)
        column = np.cumsum(rank % THRESHOLDS_PER_COLUMN == 0) - 1
        node_column = np.full(len(forest.feature), -1, np.int32)
        node_column[split] = column[which]
        node_rank = np.zeros(len(forest.feature), np.uint8)
        node_rank[split] = rank[which] % THRESHOLDS_PER_COLUMN + 1
        feature = np.ascontiguousarray(distinct["feature"][starts])
        return cls(
            feature=feature,
            columns_of=np.searchsorted(feature, np.arange(forest.features + 1)).astype(np.int32),
            missing=np.where(distinct["right"][starts], MISSING_GOES_RIGHT, 0).astype(np.uint8),
            offsets=np.append(starts, len(distinct)).astype(np.int64),
            thresholds=np.ascontiguousarray(distinct["threshold"]),
            node_column=node_column,
            node_rank=node_rank,
        )

    def encode(self, column: int, values: np.ndarray) -> np.ndarray:
        """uint8: codes in a coded column of its feature's values (float32, NaN where missing)."""
        thresholds = self.thresholds[self.offsets[column] : self.offsets[column + 1]]
        codes = np.searchsorted(thresholds, values, side="right").astype(np.uint8)
        return np.where(np.isnan(values), self.missing[column], codes)
