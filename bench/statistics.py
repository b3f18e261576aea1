"""Medians with bootstrap intervals, of rounds and of ratios between rounds that ran in turn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
LEAST_ROUNDS = 5
"""Fewer rounds give a median without an interval: of three, it would hold the truth three times in four, not 95 %."""


@dataclass(frozen=True)
class Interval:
    """A median and its 95 % percentile-bootstrap interval; ``low`` and ``high`` are None for too few rounds."""

    median: float
    low: float | None
    high: float | None

    @property
    def half_width(self) -> float:
        """Half the interval's width relative to the median; infinity where there is no interval."""
        if self.low is None or self.high is None:
            return float("inf")
        return (self.high - self.low) / 2 / self.median


def median_interval(values: Sequence[float]) -> Interval:
    """Median of positive values with its interval (Efron and Tibshirani 1993, section 13.3), the same at every call."""
    sample = np.asarray(values, np.float64)
    median = float(np.median(sample))
    if len(sample) < LEAST_ROUNDS:
        return Interval(median, None, None)
    drawn = np.random.default_rng(0).choice(sample, (RESAMPLES, len(sample)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return Interval(median, float(low), float(high))


def ratio_interval(numerator: Sequence[float], denominator: Sequence[float]) -> Interval:
    """Median, and interval, of the ratio per round; rounds with the same index ran in turn, the rest is left out."""
    pairs = zip(numerator, denominator, strict=False)
    return median_interval([above / below for above, below in pairs])
