"""Throughput against threads: the Universal Scalability Law (Gunther 1993), with intervals of its coefficients.

``C(N) = N / (1 + contention (N - 1) + coherence N (N - 1))`` times the rate of one thread: contention is the share of
work that only one can do at a time, coherence the cost of each pair of threads that wait for one another's data.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .curves import THREADS, Curve, Estimate
from .growth import timed
from .inference import Axis, Draws, RunNoise, infer, middle_95
from .models import NotFitted, Prediction

LEAST_COUNTS = 3
_NOISE = RunNoise(0.08, 0.3)
"""Believed less than of sizes: of few numbers of threads the coefficients' intervals are too narrow otherwise, and
their values, by least squares, do not depend on it.
"""
REACH = 2.0
"""Predictions for more than so many times the most threads measured come with caution."""


def _towards_more(coefficient: np.ndarray) -> np.ndarray:
    """Between all logarithms being as likely, which takes too much for nothing, and all coefficients being so."""
    return coefficient / 2


_CONTENTION = Axis(math.log(1e-4), math.log(3.0), absent=0.25, likely=_towards_more)
_COHERENCE = Axis(math.log(1e-5), math.log(1.0), absent=0.25, likely=_towards_more)


@dataclass(frozen=True)
class Scalability:
    """The law fitted to a curve of threads.

    best_threads: with which the rate is highest; infinity where more never harm, so far as measured.
    most: threads measured.
    """

    contention: Estimate
    coherence: Estimate
    best_threads: Estimate
    most: int
    draws: Draws

    def speed_up(self, threads: int) -> Prediction:
        """Rate over that of one thread."""
        factors = np.exp(-log_seconds(self.draws.first[:, None], self.draws.second[:, None], np.array([threads])))
        caution = None
        if threads > REACH * self.most:
            caution = f"{threads} threads, measured with {self.most} at most"
        return Prediction(*middle_95(factors[:, 0]), caution)


def log_seconds(contention: np.ndarray, coherence: np.ndarray, threads: np.ndarray) -> np.ndarray:
    """Logarithm of the time over that of one thread; coefficients are given by their logarithms."""
    waits = np.exp(contention) * (threads - 1) + np.exp(coherence) * threads * (threads - 1)
    return np.log1p(waits) - np.log(threads)


def scalability(curve: Curve) -> Scalability | NotFitted:
    """The law of a curve along ``threads``; threads beyond the host's cores tell nothing of it and are left out.

    Returns:
        The law: coefficients by non-negative least squares on ``N / C(N)``, which is linear in them, relative errors
        counting alike; intervals by `inference`. Or why there is none, and what would have to be measured.

    Raises:
        ValueError: the curve is along another axis.

    """
    if curve.axis != THREADS:
        raise ValueError(f"a curve along {curve.axis} says nothing of threads")
    cores = int(curve.host.get("cores") or 0) or math.inf
    points = [point for point in curve.points if timed(point) and 1 <= point.at <= cores]
    if len(points) < LEAST_COUNTS:
        counts = ", ".join(f"{point.at:g}" for point in points) or "no number"
        return NotFitted(
            f"measured with {counts} of threads on {cores:g} cores; the law has three unknowns: measure with"
            f" {LEAST_COUNTS} numbers of threads or more, which takes a machine of so many cores"
            " (technobench sweep --axis threads --points 1,2,4)"
        )
    threads = [point.at for point in points]
    seconds = [point.median_seconds for point in points]
    draws = infer(log_seconds, (_CONTENTION, _COHERENCE), threads, seconds, _NOISE)
    contention, coherence = _least_squares(threads, seconds)
    return Scalability(
        contention=_around(contention, np.exp(draws.first)),
        coherence=_around(coherence, np.exp(draws.second)),
        best_threads=_around(
            float(_best(np.array([contention]), np.array([coherence]))[0]),
            _best(np.exp(draws.first), np.exp(draws.second)),
        ),
        most=int(threads[-1]),
        draws=draws,
    )


def _least_squares(threads: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """Contention and coherence, neither below 0."""
    from scipy.optimize import nnls  # takes a while to import, and few commands need it

    n, y = np.array(threads), np.array(threads) * np.array(seconds)
    coefficients, _ = nnls(np.column_stack([np.ones_like(n), n - 1, n * (n - 1)]) / y[:, None], np.ones_like(y))
    one = coefficients[0]
    if one <= 0:  # more threads were slower from the first: all is waiting
        return math.inf, math.inf
    return float(coefficients[1] / one), float(coefficients[2] / one)


def _best(contention: np.ndarray, coherence: np.ndarray) -> np.ndarray:
    """Threads at which C(N) is highest (Gunther 1993, equation 12), at least 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(contention < 1, np.maximum(1.0, np.sqrt((1 - contention) / coherence)), 1.0)


def _around(value: float, draws: np.ndarray) -> Estimate:
    """A value with the interval of draws, which it is within."""
    low, high = np.percentile(draws, [2.5, 97.5], method="nearest")
    return Estimate(min(max(value, float(low)), float(high)), float(low), float(high))
