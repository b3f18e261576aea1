"""Is a median above a limit? By the signs of independent values alone, so whatever their distribution.

The bounds are order statistics and the test counts signs (Conover, *Practical Nonparametric Statistics*, 3rd ed., 1999,
sections 3.2 and 3.4): exact for independent values of any continuous distribution, heavy tails and two modes included,
and too careful, never too bold, where values tie.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Bounds(NamedTuple):
    """A sample's median, and a lower and an upper bound of the true one, None where the values are too few.

    Each bound is on the wrong side of the true median with probability alpha at most.
    """

    median: float
    low: float | None
    high: float | None

    @property
    def half_width(self) -> float | None:
        """Half of the distance between the bounds."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


def fewest_values(alpha: float) -> int:
    """With fewer values there are no bounds at level ``alpha``, and the test cannot reject."""
    return int(np.ceil(np.log2(1 / alpha) - 1e-9))


def median_bounds(values: Sequence[float], alpha: float) -> Bounds:
    """The median of n values, one at least, with one-sided bounds at level ``alpha`` each."""
    ordered = np.sort(np.asarray(values, np.float64))
    # The k-th smallest, from 0, is above the median where no more than k values are below it.
    chances = _chance_of_heads(np.arange(len(ordered)), len(ordered))
    below = int(np.searchsorted(chances, alpha, side="right")) - 1
    median = float(np.median(ordered))
    if below < 0:
        return Bounds(median, None, None)
    return Bounds(median, float(ordered[below]), float(ordered[-1 - below]))


def probability_above(values: Sequence[float], limit: float) -> float:
    """Of so many values above ``limit`` or more, were the true median no more than it; 1 without values.

    A value that equals the limit speaks for the median's being no more than it.
    """
    not_above = int(np.sum(np.asarray(values, np.float64) <= limit))
    return float(
        _chance_of_heads(not_above, len(values))
    )  # as many above as no more than so many below: the sides are alike


def rejected(probabilities: Sequence[float], alpha: float) -> list[bool]:
    """Which hypotheses to reject, so that any true one is among them with probability ``alpha`` at most.

    Holm, *A simple sequentially rejective multiple test procedure*, Scand. J. Statist. 6, 1979.
    """
    found = [False] * len(probabilities)
    for done, index in enumerate(sorted(range(len(probabilities)), key=probabilities.__getitem__)):
        if probabilities[index] > alpha / (len(probabilities) - done):
            break
        found[index] = True
    return found


def _chance_of_heads(most: int | np.ndarray, coins: int) -> np.ndarray:
    """Of no more than so many heads."""
    from scipy.special import bdtr  # half a second to import, and few commands need it

    return bdtr(most, coins, 0.5)
