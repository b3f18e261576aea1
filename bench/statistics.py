"""Medians with bootstrap intervals: of rounds, of ratios of rounds that ran in turn, of one sample over another."""

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
    def ends(self) -> list[float]:
        """Median, low and high, so far as they are known."""
        return [end for end in (self.median, self.low, self.high) if end is not None]

    def scaled(self, factor: float) -> "Interval":
        """Of so many times the value; ``factor`` is above 0."""
        low, high = (None if end is None else end * factor for end in (self.low, self.high))
        return Interval(self.median * factor, low, high)

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


def quotient_interval(above: Sequence[float], below: Sequence[float]) -> Interval:
    """Median of one sample of positive values over that of another that is independent of it; both are drawn anew."""
    tops, bottoms = np.asarray(above, np.float64), np.asarray(below, np.float64)
    quotient = float(np.median(tops) / np.median(bottoms))
    if min(len(tops), len(bottoms)) < LEAST_ROUNDS:
        return Interval(quotient, None, None)
    random = np.random.default_rng(0)
    medians = [np.median(random.choice(each, (RESAMPLES, len(each))), axis=1) for each in (tops, bottoms)]
    low, high = np.percentile(medians[0] / medians[1], [2.5, 97.5])
    return Interval(quotient, float(low), float(high))


def quartile_spread(values: Sequence[float]) -> float:
    """Half the distance between the quartiles, relative to the median: how far one of the values is off, usually."""
    low, median, high = np.percentile(np.asarray(values, np.float64), [25, 50, 75])
    return float((high - low) / 2 / median)
