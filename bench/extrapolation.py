"""Run times of variants too slow for their budget: power laws fitted to what was measured at smaller sizes.

A run with phases is fitted phase by phase and added up: phases grow with different powers, and their sum with none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..pipeline.row import Extrapolation

LEAST_SIZES = 3
LARGEST_SIZES = 4
"""Of those measured so many enter a fit: at smaller ones what does not grow flattens a curve that is steep later on."""
LEAST_SECONDS = 2e-3
"""Shorter runs say more about overheads than about how the time grows."""
_DRAWS = 4000
_INTERVAL = [2.5, 97.5]


@dataclass(frozen=True)
class Point:
    """One run at a smaller size: the size (the product of ``grows_with``), records, and seconds by phase."""

    size: float
    records: int
    phases: Mapping[str, float]

    @property
    def seconds(self) -> float:
        """Seconds of the whole run."""
        return sum(self.phases.values())


def extrapolate(points: Sequence[Point], size: float, grows_with: tuple[str, ...]) -> Extrapolation | None:
    """Fit ``seconds = a * size ** b`` to each phase by least squares in logarithms; predict their sum at ``size``.

    Of ``points``, all of which are kept, the `LARGEST_SIZES` are fitted.

    Returns:
        The estimate with the 95 % prediction interval of a single run, drawn from each phase's predictive distribution
        (Student's t, ordinary least squares); None where the longest phase has fewer than three different sizes that
        took long enough to tell.
    """
    if not points:
        return None
    largest = max(points, key=lambda point: point.size)
    longest = max(largest.phases, key=largest.phases.__getitem__)
    smallest = sorted({point.size for point in points})[-LARGEST_SIZES:][0]
    fitted = [point for point in points if point.size >= smallest]
    random = np.random.default_rng(0)
    estimate, weighted = 0.0, 0.0
    seconds, exponents = np.zeros(_DRAWS), np.zeros(_DRAWS)
    for phase, last in largest.phases.items():
        usable = [(point.size, point.phases[phase]) for point in fitted if point.phases[phase] >= LEAST_SECONDS]
        if len({size for size, _ in usable}) >= LEAST_SIZES:
            x, y = np.log(usable).T
            centre, drawn, slope, slopes = _predicted(x, y, float(np.log(size)), random)
        elif phase != longest:  # too short to fit: taken to grow in proportion
            centre = float(np.log(max(last, 1e-9) * size / largest.size))
            drawn, slope, slopes = np.full(_DRAWS, centre), 1.0, np.ones(_DRAWS)
        else:
            return None
        estimate += float(np.exp(centre))
        weighted += float(np.exp(centre)) * slope
        seconds += np.exp(drawn)
        exponents += np.exp(drawn) * slopes
    low, high = np.percentile(seconds, _INTERVAL)
    exponent_low, exponent_high = np.percentile(exponents / seconds, _INTERVAL)
    return Extrapolation(
        seconds=estimate,
        low=float(low),
        high=float(high),
        exponent=weighted / estimate,
        exponent_low=float(exponent_low),
        exponent_high=float(exponent_high),
        grows_with=grows_with,
        points=tuple((point.size, point.records, point.seconds) for point in points),
    )


def _predicted(
    x: np.ndarray, y: np.ndarray, at: float, random: np.random.Generator
) -> tuple[float, np.ndarray, float, np.ndarray]:
    """Log seconds at log size ``at``: the estimate and draws of a new run; the slope and draws of it."""
    from scipy import stats  # half a second to import, and needed for few runs

    fit = stats.linregress(x, y)
    freedom = len(x) - 2
    residual = float(np.sqrt(np.sum((y - fit.intercept - fit.slope * x) ** 2) / freedom))
    away = (at - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2)
    centre = float(fit.intercept + fit.slope * at)
    drawn = centre + residual * np.sqrt(1 + 1 / len(x) + away) * random.standard_t(freedom, _DRAWS)
    return centre, drawn, float(fit.slope), fit.slope + fit.stderr * random.standard_t(freedom, _DRAWS)
