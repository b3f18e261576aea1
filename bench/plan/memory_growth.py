"""Memory against size: what a process needs anyway, and what rows add: so many bytes each, or fewer and fewer.

``bytes = fixed + a * rows ** b``: b is 1 where all rows are held, less where work is done batch by batch and only some
of what is held grows, and a little more where rows of larger data have more in them; nothing here holds pairs of rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .curves import Curve, Estimate, Point
from .growth import Law, about_one, caution_at, exponent_of, held_out, lacking, law
from .inference import Axis, middle_95
from .models import HeldOut, NotFitted, Prediction

Memory = Literal["peak_bytes", "resident_bytes", "gpu_peak_bytes"]
_POWER = Axis(0.0, 1.25, likely=about_one)
_NON_ZEROS = ("nonzeros", "non-zeros")
_SAME_DENSITY = 0.05
"""Relative difference of non-zeros a row within which data is as dense as what was measured."""
_HALVINGS = 40


@dataclass(frozen=True)
class MemoryGrowth:
    """Bytes by size (`models.Model`).

    law: of the bytes. fixed: bytes of no row, per_row: bytes a further row adds at the largest size. density: non-zeros
        a row there; None for a stage whose sizes do not have them.
    """

    exponent: Estimate
    smallest: float
    largest: float
    held_out: tuple[HeldOut, ...]
    law: Law
    fixed: Estimate
    per_row: Estimate
    density: float | None

    def at(self, size: float, nonzeros: float | None = None) -> Prediction:
        """Bytes of a new run at a size.

        Args:
            size: as the curve's axis counts.
            nonzeros: of data that is denser or thinner than what was measured, whose rows and non-zeros grow together:
                how much of the growth is by either is not known, so that the interval has both, and the value is by
                non-zeros.

        """
        plain = self.law.at(size)
        if nonzeros is None or self.density is None:
            return plain
        ratio = nonzeros / size / self.density
        if abs(ratio - 1) <= _SAME_DENSITY:
            return plain
        other = self.law.at(size * ratio)
        told = f"{nonzeros / size:,.3g} non-zeros a row, measured with {self.density:,.3g}"
        caution = "; ".join(filter(None, (plain.caution or other.caution, told)))
        return Prediction(other.value, min(plain.low, other.low), max(plain.high, other.high), caution)

    def largest_that_fits(self, available: float) -> Prediction:
        """The largest size whose run fits so many bytes; its low bound fits all but for sure.

        0 where not even the fixed part fits; infinity where bytes do not grow.
        """
        value, low, high = (
            _reached(lambda size, of=of: of(self.law.at(size)), available, self.largest)
            for of in (
                lambda prediction: prediction.value,
                lambda prediction: prediction.high,
                lambda prediction: prediction.low,
            )
        )
        return Prediction(value, low, high, None if value == 0 else caution_at(value, self.smallest, self.largest))


def memory_growth(curve: Curve, of: Memory = "peak_bytes") -> MemoryGrowth | NotFitted:
    """Bytes by the value on the curve's axis: ``gpu_peak_bytes`` are those of the device."""
    points = [point for point in curve.points if point.at > 0 and getattr(point, of)]
    if (reason := lacking([point.at for point in points], curve.axis)) is not None:
        return NotFitted(reason)

    def fitted(chosen: Sequence[Point]) -> Law:
        return law([point.at for point in chosen], [getattr(point, of) for point in chosen], _POWER)

    found = fitted(points)
    share = 1 / (1 + np.exp(-found.draws.first))
    return MemoryGrowth(
        exponent=exponent_of([found]),
        smallest=found.smallest,
        largest=found.largest,
        held_out=held_out(points, lambda point: getattr(point, of), lambda rest: [fitted(rest)]),
        law=found,
        fixed=Estimate(*middle_95(found.scale * share)),
        per_row=Estimate(*middle_95(found.scale * found.slope / found.largest)),
        density=_density(points[-1].sizes, points[-1].at),
    )


def _density(sizes: Mapping[str, int], size: float) -> float | None:
    found = next((sizes[name] for name in _NON_ZEROS if sizes.get(name)), None)
    return None if found is None else found / size


def _reached(bytes_at: Callable[[float], float], available: float, largest: float) -> float:
    """The size at which rising bytes reach what is available, by halving intervals of its logarithm."""
    low, high = np.log(largest) - 40, np.log(largest) + 40
    if bytes_at(float(np.exp(low))) > available:
        return 0.0
    if bytes_at(float(np.exp(high))) <= available:
        return float("inf")
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if bytes_at(float(np.exp(middle))) <= available else (low, middle)
    return float(np.exp(low))
