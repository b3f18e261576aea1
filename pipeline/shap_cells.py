"""Cells: the numbers that make up an explanation of a row, and that tables and paths add up.

There are first the pairs of features that meet on a path of some tree, where interactions are asked for, and then the
features. Other pairs cannot interact. A feature's cell holds its SHAP value less its interactions: the diagonal of the
matrix of interactions, and without pairs the SHAP value itself. One more cell, the last, is scrap.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .forest import Forest
from .shapley import paths


@dataclass(frozen=True)
class ShapCells:
    """The cells of a forest.

    pairs: int32[pairs, 2], ascending, the lower first: positions in ``used_features``; none for SHAP values alone.
    features: how many features the forest uses.
    """

    pairs: np.ndarray
    features: int

    @classmethod
    def of_features(cls, forest: Forest) -> "ShapCells":
        """A cell of each feature, for SHAP values."""
        return cls(np.empty((0, 2), np.int32), len(forest.used_features))

    @classmethod
    def of_interactions(cls, forest: Forest) -> "ShapCells":
        """A cell of each pair that meets on a path, and of each feature."""
        features = len(forest.used_features)
        keys = [np.empty(0, np.int64)]
        for group in paths(forest):
            slots = forest.slot[group.nodes]
            for later in range(1, group.depth):
                one, other = slots[:, :later], slots[:, [later]]
                lower, upper = np.minimum(one, other), np.maximum(one, other)
                keys.append(np.unique((lower * features + upper)[lower < upper]))
        found = np.unique(np.concatenate(keys))
        return cls(np.column_stack([found // max(1, features), found % max(1, features)]).astype(np.int32), features)

    @cached_property
    def keys(self) -> np.ndarray:
        """int64[pairs], ascending: first * features + second of each pair."""
        return self.pairs[:, 0].astype(np.int64) * self.features + self.pairs[:, 1]

    @property
    def scrap(self) -> int:
        """The number of the last cell, and of the cells that count."""
        return len(self.pairs) + self.features

    def of_split(self, feature: int, above: Collection[int]) -> list[int]:
        """The cells that a split on a feature adds to a path with other features above: its own, and those of pairs."""
        own = len(self.pairs) + feature
        if not len(self.pairs):
            return [own]
        return [own, *(self._numbers[min(feature, other), max(feature, other)] for other in above)]

    def of_path(self, features: int) -> int:
        """How many cells a path with so many features gives to: all of its pairs meet."""
        return features + (features * (features - 1) // 2 if len(self.pairs) else 0)

    @cached_property
    def _numbers(self) -> dict[tuple[int, int], int]:
        return {(one, other): number for number, (one, other) in enumerate(self.pairs.tolist())}
