"""Time against size: a fixed part and a power, phase by phase, with prediction intervals that few points deserve.

``seconds = fixed + a * size ** b``, fitted to logarithms, since it is relative errors that are alike at all sizes: the
fixed part is at least nothing, and the power from 0 to `MOST_POWER`, likely about 1 (`inference` has how). A phase that
hardly grows is its fixed part; one without is a pure power. Phases are fitted apart and added up, because they grow
with different powers, and their sum with none; what disturbs a run disturbs all of its phases, so that their intervals
add up as well.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .curves import Curve, Estimate, Point
from .inference import Axis, Draws, infer, middle_95
from .models import HeldOut, NotFitted, Prediction

LEAST_SIZES = 3
LEAST_RANGE = 4.0
"""The largest size must be so many times the smallest: over less, noise looks like growth."""
REACH = 4.0
"""Predictions beyond so many times the largest size come with caution."""
MOST_POWER = 3.0
_MOST_SCATTER = 0.5
"""Points that are further from any law, by the root of the mean square of logarithms, follow none."""
_SHARE = 1e-3
"""A phase counts as at least this share of its run, below which a clock's resolution is all that it would tell."""
RUN = "run"
"""The name of the one law of a run without phases."""

FIXED = Axis(-9.0, 9.0, absent=0.25)
"""Log odds of the fixed part's share at the largest size."""


def about_one(power: np.ndarray) -> np.ndarray:
    """How likely powers are before anything is measured: normal, 1 with a deviation of 0.4."""
    return -((power - 1) ** 2) / (2 * 0.4**2)


_POWER = Axis(0.0, MOST_POWER, likely=about_one)


def log_growth(fixed: np.ndarray, power: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Logarithm of ``share + (1 - share) * x ** power``; ``fixed`` are the log odds of the share."""
    return np.logaddexp(-np.logaddexp(0, -fixed), power * np.log(x) - np.logaddexp(0, fixed))


@dataclass(frozen=True)
class Law:
    """One fitted law: of a phase, of a whole run, of set-up or of fetching.

    smallest, largest: sizes measured. draws: from the posterior, at sizes in multiples of the largest.
    """

    smallest: float
    largest: float
    draws: Draws

    @property
    def scale(self) -> np.ndarray:
        """Median value of a run at the largest size; float64[draws]."""
        return np.exp(self.draws.log_scale)

    @property
    def slope(self) -> np.ndarray:
        """Power with which the value grows at the largest size; float64[draws]."""
        return self.draws.second / (1 + np.exp(self.draws.first))

    def at(self, size: float) -> Prediction:
        """The value of a new run at a size."""
        return predicted([self], size)


def predicted(laws: Sequence[Law], size: float) -> Prediction:
    """The sum of the laws of one run at a size.

    Raises:
        ValueError: the size is not above 0 and finite.

    """
    if not 0 < size < np.inf:
        raise ValueError(f"a size of {size:g}: must be above 0 and finite")
    value, low, high = middle_95(np.sum([law.draws.at(size / law.largest) for law in laws], axis=0))
    return Prediction(value, low, high, caution_at(size, laws[0].smallest, laws[0].largest))


def caution_at(size: float, smallest: float, largest: float) -> str | None:
    """Why a size is outside of what was measured, and some way on; None inside."""
    if size > REACH * largest:
        return f"{size:,.0f} is {size / largest:,.3g} times the largest size measured, {largest:,.0f}; to be measured"
    if size < smallest:
        return f"{size:,.0f} is below the smallest size measured, {smallest:,.0f}"
    return None


@dataclass(frozen=True)
class Growth:
    """Seconds of a run by size (`models.Model`).

    laws: by phase, or one of the whole `RUN`. setup, fetch: seconds of each by size, which are no part of the run.
    """

    exponent: Estimate
    smallest: float
    largest: float
    held_out: tuple[HeldOut, ...]
    laws: Mapping[str, Law]
    setup: Law | NotFitted
    fetch: Law | NotFitted

    def at(self, size: float) -> Prediction:
        """Median seconds of a new run at a size."""
        return predicted(list(self.laws.values()), size)

    def rate(self, size: float) -> Prediction:
        """Rows per second of a run at a size: in batches of it, what any number of rows takes."""
        seconds = self.at(size)
        return Prediction(size / seconds.value, size / seconds.high, size / seconds.low, seconds.caution)


def growth(curve: Curve) -> Growth | NotFitted:
    """Seconds by the value on the curve's axis.

    Returns:
        The model, whose intervals hold the median of a new run on the same machine, under a load as that of the runs;
        or why there is none, and what would have to be measured.

    """
    points = [point for point in curve.points if point.at > 0 and timed(point)]
    if (reason := lacking([point.at for point in points], curve.axis)) is not None:
        return NotFitted(reason)
    laws = _laws(points)
    if (scatter := _scatter(laws, points)) > _MOST_SCATTER:
        return NotFitted(
            f"the times are {100 * scatter:.0f} % off any growth with {curve.axis}: they fall, or the machine was busy;"
            " measure again"
        )
    return Growth(
        exponent=exponent_of(list(laws.values())),
        smallest=points[0].at,
        largest=points[-1].at,
        held_out=held_out(points, lambda point: point.median_seconds, lambda rest: list(_laws(rest).values())),
        laws=laws,
        setup=_apart(points, lambda point: point.setup_seconds, curve.axis),
        fetch=_apart(points, lambda point: point.fetch_seconds, curve.axis),
    )


def timed(point: Point) -> bool:
    """Whether a point has times that a logarithm can be taken of."""
    return bool(point.seconds) and min(point.seconds) > 0 and max(point.seconds) < np.inf


def lacking(sizes: Sequence[float], axis: str) -> str | None:
    """What different sizes lack for a fit, or None."""
    told = ", ".join(f"{size:,.6g}" for size in sizes) or "nothing"
    if len(sizes) < LEAST_SIZES:
        return f"measured at {told} {axis}; it takes {LEAST_SIZES} values or more, {LEAST_RANGE:g} times apart in all"
    if sizes[-1] < LEAST_RANGE * sizes[0]:
        return f"measured at {told} {axis}; the largest must be {LEAST_RANGE:g} times the smallest, or more"
    return None


def law(sizes: Sequence[float], values: Sequence[float], power: Axis = _POWER) -> Law:
    """A fixed part and a power through values above 0; sizes rise."""
    draws = infer(log_growth, (FIXED, power), [size / sizes[-1] for size in sizes], values)
    return Law(sizes[0], sizes[-1], draws)


def held_out(
    points: Sequence[Point], measured: Callable[[Point], float], fitted: Callable[[Sequence[Point]], Sequence[Law]]
) -> tuple[HeldOut, ...]:
    """Each point predicted by what is fitted to the others, where they are enough; the largest first."""
    found = []
    for point in reversed(points):
        rest = [other for other in points if other is not point]
        if lacking([other.at for other in rest], "") is None:
            found.append(HeldOut(point.at, predicted(fitted(rest), point.at), measured(point)))
    return tuple(found)


def exponent_of(laws: Sequence[Law]) -> Estimate:
    """Power with which the sum of the laws grows at the largest size."""
    scales = np.array([each.scale for each in laws])
    slopes = np.array([each.slope for each in laws])
    return Estimate(*middle_95(np.sum(scales * slopes, axis=0) / np.sum(scales, axis=0)))


def _laws(points: Sequence[Point]) -> dict[str, Law]:
    """A law for each phase, whose seconds are made to add up to the run's; one for the run where phases differ."""
    sizes = [point.at for point in points]
    names = list(points[0].phases)
    if not names or any(set(point.phases) != set(names) or not sum(point.phases.values()) for point in points):
        return {RUN: law(sizes, [point.median_seconds for point in points])}
    whole = [(point.median_seconds, sum(point.phases.values())) for point in points]
    return {
        name: law(
            sizes,
            [
                seconds * max(point.phases[name] / phases, _SHARE)
                for point, (seconds, phases) in zip(points, whole, strict=True)
            ],
        )
        for name in names
    }


def _scatter(laws: Mapping[str, Law], points: Sequence[Point]) -> float:
    away = [np.log(predicted(list(laws.values()), point.at).value / point.median_seconds) for point in points]
    return float(np.sqrt(statistics.fmean(each**2 for each in away)))


def _apart(points: Sequence[Point], seconds_of: Callable[[Point], float | None], axis: str) -> Law | NotFitted:
    """Seconds beside the run's, by size."""
    known = [(point.at, seconds) for point in points if (seconds := seconds_of(point))]
    if (reason := lacking([size for size, _ in known], axis)) is not None:
        return NotFitted(reason)
    return law([size for size, _ in known], [seconds for _, seconds in known])
