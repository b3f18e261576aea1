"""The curves that rows have, each with its model in the form that the picture of scaling draws."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...pipeline.row import Row
from ..plan.curves import Curve, Estimate, curves
from ..plan.growth import growth
from ..plan.inference import middle_95
from ..plan.models import HeldOut, Model, NotFitted, Prediction
from ..plan.scalability import Scalability, log_seconds, scalability

_STEP = 1e-3
"""Of the logarithm of threads, to differentiate by."""


def fits(rows: Sequence[Row]) -> Sequence[tuple[Curve, Model | NotFitted]]:
    """Each curve with its model: of seconds by its axis, along ``threads`` of records per second."""
    return [(curve, _rates(curve) if curve.axis == "threads" else growth(curve)) for curve in curves(rows)]


@dataclass(frozen=True)
class ThreadRates:
    """Records per second by threads (`models.Model`): the scalability law, at the level of the points."""

    law: Scalability
    of_one: float
    exponent: Estimate
    smallest: float
    largest: float
    held_out: tuple[HeldOut, ...] = ()

    def at(self, size: float) -> Prediction:
        """Records per second with so many threads; those between whole numbers are for the line alone."""
        value, low, high = middle_95(_speed_up(self.law, size) * self.of_one)
        return Prediction(value, low, high, self.law.speed_up(math.ceil(size)).caution)


def _speed_up(law: Scalability, threads: float) -> np.ndarray:
    """Draws of the rate over that of one thread."""
    logarithms = log_seconds(law.draws.first[:, None], law.draws.second[:, None], np.array([threads]))
    return np.exp(-logarithms[:, 0])


def _rates(curve: Curve) -> ThreadRates | NotFitted:
    law = scalability(curve)
    if isinstance(law, NotFitted):
        return law
    levels = [
        math.log(point.sizes.get("records", 1) / point.median_seconds / np.median(_speed_up(law, point.at)))
        for point in curve.points
    ]
    last = curve.points[-1].at
    rise = np.log(_speed_up(law, last * math.exp(_STEP)) / _speed_up(law, last))
    exponent = Estimate(*middle_95(rise / _STEP))
    return ThreadRates(law, math.exp(float(np.mean(levels))), exponent, curve.points[0].at, last)
