"""Random numbers of the synthetic datasets: the same with every NumPy, one independent stream per batch.

Purposes 0 to 3 are the `seed` generator's, 10 and 11 those of `planted`, 20 to 22 those of `planted-ratings`.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

# With this seed exactly 6,450 technologies of the catalogue of `seed` occur at scale 1. Whatever changes the draws
# (the catalogue, the order of calls, the size of a batch) asks for another: the tests count them.
SEED = 85


class Stream:
    """An endless stream of random numbers, told from the others by its purpose and batch.

    Philox is a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), so that
    streams need not be drawn in order. Numbers are made from its raw bits, which NumPy keeps the same in all versions
    (NEP 19), unlike the distributions of `numpy.random.Generator`.
    """

    def __init__(self, purpose: int, batch: int = 0) -> None:
        self._bits = np.random.Philox(key=SEED, counter=[0, 0, purpose, batch])

    def uniform(self, *shape: int) -> NDArray[np.float64]:
        """Uniform numbers strictly between 0 and 1."""
        raw = np.asarray(self._bits.random_raw(math.prod(shape))).reshape(shape)
        return ((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52

    def normal(self, *shape: int) -> NDArray[np.float64]:
        """Standard normal numbers."""
        return ndtri(self.uniform(*shape))

    def index(self, below: int, *shape: int) -> NDArray[np.int64]:
        """Whole numbers from 0 to ``below - 1``, equally likely."""
        return (self.uniform(*shape) * below).astype(np.int64)


class WeightedChoice:
    """Picks one of several options, with other weights in each group.

    weights: float64, (groups, options), none negative; each row's sum is positive.
    """

    def __init__(self, weights: NDArray[np.float64]) -> None:
        groups, self._options = weights.shape
        cumulative = np.cumsum(weights, axis=1)
        cumulative /= cumulative[:, -1:]
        # One ascending array for all groups, group g between g and g + 1, so that one search serves all draws.
        self._cumulative = (cumulative + np.arange(groups)[:, None]).ravel()

    def draw(self, groups: NDArray[np.int64], stream: Stream) -> NDArray[np.int64]:
        """One option for each of the groups, both int64 of shape (draws,)."""
        found = np.searchsorted(self._cumulative, groups + stream.uniform(len(groups)), side="right")
        # A number next to 1 rounds up to the next group once its group is added.
        return np.minimum(found - groups * self._options, self._options - 1)
