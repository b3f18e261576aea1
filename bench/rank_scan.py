"""Does a stretch of a series stand out from the rest? A permutation test over many stretches, by ranks alone.

Every stretch has the probability of its rank sum (Wilcoxon's test), and the least of these is what is judged: so three
values at the end count as much as half of a series, whose rank sums can be larger. Its probability is the share of
random orders of the same values in which some stretch has as little. This holds however few values there are, and
whatever their distribution; where nothing stands out, they must be as likely in one order as in any other.
"""

import math
from collections.abc import Sequence

import numpy as np

EXACT = 20
"""Rank sums of up to so many values have their exact distribution, larger ones the normal one."""
_ENOUGH = 10
"""So many orders in which a stretch stands out as much, and no more are drawn."""
_FIRST_DRAWS, _LEAST_DRAWS, _AT_ONCE = 100, 2000, 500_000


class RankScan:
    """The ranks of a series, of one value at least, and what their sums over stretches tell.

    Stretches are int[m, 2]: the first index of each, and that behind its last.
    """

    def __init__(self, values: Sequence[float] | np.ndarray) -> None:
        """Rank the values; those that tie have the mean of their ranks."""
        self._count = len(values)
        _, place, ties = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
        self._doubled = (2 * np.cumsum(ties) - ties + 1)[place]  # twice the ranks, which so are whole
        self._surprise = _surprise(self._doubled)

    def surprises(self, stretches: np.ndarray) -> np.ndarray:
        """float64[m]: -log of the probability of each stretch by itself."""
        return self._surprises(self._doubled[None], stretches)[0]

    def probability(self, stretches: np.ndarray, highest: float, level: float) -> float:
        """That any of the stretches is as surprising as ``highest``.

        Orders are drawn until there is no doubt whether that is above ``level`` (Besag and Clifford, *Sequential Monte
        Carlo p-values*, Biometrika 78, 1991). The same arguments give the same answer at every call.
        """
        random = np.random.default_rng(0)
        needed = max(_LEAST_DRAWS, math.ceil(_ENOUGH / level))
        drawn, as_high, at_once = 0, 0, _FIRST_DRAWS
        while drawn < needed:
            at_once = min(2 * at_once, needed - drawn, max(1, _AT_ONCE // max(len(stretches), self._count)))
            orders = random.permuted(np.broadcast_to(self._doubled, (at_once, self._count)), axis=1)
            reached = np.flatnonzero(self._surprises(orders, stretches).max(axis=1) >= highest)
            if as_high + len(reached) >= _ENOUGH:
                return _ENOUGH / (drawn + int(reached[_ENOUGH - as_high - 1]) + 1)
            as_high, drawn = as_high + len(reached), drawn + at_once
        return (as_high + 1) / (drawn + 1)

    def _surprises(self, doubled: np.ndarray, stretches: np.ndarray) -> np.ndarray:
        """float64[orders, m]; of a stretch, or of all but it where that is shorter: they tell the same."""
        sums = np.zeros((len(doubled), self._count + 1), np.int64)
        np.cumsum(doubled - (self._count + 1), axis=1, out=sums[:, 1:])
        starts, stops = stretches.T
        lengths = np.minimum(stops - starts, self._count - (stops - starts))
        distances = np.abs(sums[:, stops] - sums[:, starts])
        return self._surprise.take(lengths * self._surprise.shape[1] + distances)


def _surprise(doubled: np.ndarray) -> np.ndarray:
    """float64[n // 2 + 1, n * n // 4 + 1]: -log of the two-sided probability of a rank sum.

    By the number of ranks that are drawn by chance, and by twice the distance of their sum from its mean.
    """
    from scipy.special import log_ndtr  # half a second to import, and few commands need it

    count = len(doubled)
    found = np.zeros((count // 2 + 1, count * count // 4 + 1))
    if doubled.min() == doubled.max():
        return found  # all values tie, and no sum is away from its mean
    exact = min(count // 2, EXACT)
    ways = np.zeros((exact + 1, int(np.sort(doubled)[-exact:].sum()) + 1))  # to draw so many with such a sum
    ways[0, 0] = 1
    for rank in doubled:
        ways[1:, rank:] += ways[:-1, :-rank]
    for drawn in range(1, exact + 1):
        distances = np.abs(np.arange(ways.shape[1]) - drawn * (count + 1))
        of_distance = np.bincount(distances, ways[drawn], found.shape[1])[: found.shape[1]]
        tail = np.cumsum(of_distance[::-1])[::-1] / ways[drawn].sum()
        found[drawn] = -np.log(np.maximum(tail, np.finfo(float).tiny))
    for drawn in range(exact + 1, count // 2 + 1):
        deviation = math.sqrt(drawn * (count - drawn) / (count - 1) * float(np.var(doubled)))
        found[drawn] = -math.log(2) - log_ndtr(-np.arange(found.shape[1]) / deviation)
    return found
