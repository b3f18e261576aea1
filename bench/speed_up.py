"""How many times as fast as another a right answer was: a pure function of two rows."""

import statistics
from dataclasses import dataclass

from ..pipeline.row import Row, Status
from .statistics import Interval, ratio_interval


@dataclass(frozen=True)
class SpeedUp:
    """A ratio of times. estimated: the two did not run in turn, or one was extrapolated; there is no interval then."""

    ratio: Interval
    estimated: bool


def speed_up_over(row: Row, over: Row | None) -> SpeedUp | None:
    """How many times faster than another row of the same group; only right and measured answers have speed-ups.

    With an interval where the two ran in turn: in one session, both after a warm-up. Else it is an estimate.
    """
    if over is None or row.status is not Status.OK or row.seconds is None:
        return None
    if row is over:
        return SpeedUp(Interval(1.0, None, None), estimated=False)
    if over.status is Status.EXTRAPOLATED and over.extrapolation is not None:
        return _estimate(over.extrapolation.seconds, row.seconds)
    if over.status is not Status.OK or over.seconds is None:
        return None
    if row.in_turn_with(over):
        return SpeedUp(ratio_interval(over.seconds, row.seconds), estimated=False)
    return _estimate(statistics.median(over.seconds), row.seconds)


def _estimate(seconds: float, rounds: list[float]) -> SpeedUp:
    return SpeedUp(Interval(seconds / statistics.median(rounds), None, None), estimated=True)
