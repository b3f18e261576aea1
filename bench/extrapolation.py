"""Run times of variants too slow for their budget: a power law fitted to what was measured at smaller sizes."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from ..pipeline.row import Extrapolation

LEAST_SIZES = 3
LEAST_SECONDS = 2e-3
"""Shorter runs say more about overheads than about how the time grows."""
_CONFIDENCE = 0.95


def extrapolate(
    points: Sequence[tuple[float, int, float]], size: float, grows_with: tuple[str, ...]
) -> Extrapolation | None:
    """Fit ``seconds = a * size ** b`` by least squares in logarithms; predict at ``size``.

    Args:
        points: size (the product of ``grows_with``), records and seconds of each run.
        size: where to predict, by the same measure.
        grows_with: names of the sizes that the product is of.

    Returns:
        The estimate with the 95 % prediction interval of a single run (Student's t, ordinary least squares);
        None where fewer than three different sizes took long enough to tell.

    """
    usable = [point for point in points if point[2] >= LEAST_SECONDS]
    if len({point[0] for point in usable}) < LEAST_SIZES:
        return None
    x = np.log([point[0] for point in usable])
    y = np.log([point[2] for point in usable])
    fit = stats.linregress(x, y)
    freedom = len(x) - 2
    quantile = float(stats.t.ppf((1 + _CONFIDENCE) / 2, freedom))
    residual = float(np.sqrt(np.sum((y - fit.intercept - fit.slope * x) ** 2) / freedom))
    away = (np.log(size) - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2)
    spread = quantile * residual * float(np.sqrt(1 + 1 / len(x) + away))
    centre = float(fit.intercept + fit.slope * np.log(size))
    return Extrapolation(
        seconds=float(np.exp(centre)),
        low=float(np.exp(centre - spread)),
        high=float(np.exp(centre + spread)),
        exponent=float(fit.slope),
        exponent_low=float(fit.slope - quantile * fit.stderr),
        exponent_high=float(fit.slope + quantile * fit.stderr),
        grows_with=grows_with,
        points=tuple(points),
    )
