"""Two sides, A and B, case by case and measure by measure: slower, faster, the same, or not to be told."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ...pipeline.row import CaseKey
from ..launch_row import BASE, HEAD, LaunchRow, by_case
from .judgement import MEASURES, Decision, Limits, Measure, log_ratios, noise_of_base, unsound
from .signs import median_bounds


class Outcome(StrEnum):
    """What is said of a measure of a case, or of a case that has none."""

    SLOWER = "slower"
    FASTER = "faster"
    MORE = "more"
    LESS = "less"
    SAME = "same"
    UNTOLD = "cannot be told"
    NOT_COMPARED = "not compared"
    INVALID = "invalid"


@dataclass(frozen=True)
class MeasureComparison:
    """Of one measure of one case. Ratios are B / A.

    how: what the ratio is of. ratio, low, high: median and interval; None where there are too few values.
    pairs: that it comes from. noise: by how much a side differs from itself, as a share.
    visible: the smallest effect that would have been told from none, as a share.
    within: the share that B may differ from A by and be the same.
    """

    measure: str
    how: str
    ratio: float
    low: float | None
    high: float | None
    pairs: int
    noise: float | None
    visible: float | None
    within: float
    outcome: Outcome


@dataclass(frozen=True)
class CaseComparison:
    """Of one case. Without measures ``outcome`` and ``reason`` say why; with them, ``outcome`` is that of the first."""

    key: CaseKey
    name: str
    outcome: Outcome
    reason: str | None
    measures: tuple[MeasureComparison, ...]


def outcome_of(measure: str, low: float | None, high: float | None, within: float) -> Outcome:
    """What an interval of B / A says: the same where all of it is within 1 + ``within`` either way."""
    if low is None or high is None:
        return Outcome.UNTOLD
    if 1 / (1 + within) <= low and high <= 1 + within:
        return Outcome.SAME
    is_time = measure.endswith("time")
    if low > 1:
        return Outcome.SLOWER if is_time else Outcome.MORE
    if high < 1:
        return Outcome.FASTER if is_time else Outcome.LESS
    return Outcome.UNTOLD


def compare_launches(rows: Sequence[LaunchRow], limits: Limits) -> list[CaseComparison]:
    """B, the head, with A, the base, from launches of both in turn; in the order of each case's first row.

    Either bound of an interval is wrong with probability ``limits.alpha`` at most, over all looks.
    """
    return [_case(key, of_case, limits) for key, of_case in by_case(rows).items()]


def _case(key: CaseKey, rows: Sequence[LaunchRow], limits: Limits) -> CaseComparison:
    name = rows[0].case_name
    if (why := unsound(rows)) is not None:
        outcome = Outcome.INVALID if why[0] is Decision.INVALID else Outcome.NOT_COMPARED
        return CaseComparison(key, name, outcome, why[1], ())
    pairs = sum(len(row.arms[HEAD].cpu_seconds) for row in rows)
    measures = tuple(
        _measure(measure, values, rows, pairs, limits)
        for measure in MEASURES
        if (values := log_ratios(rows, measure, HEAD, BASE))
    )
    return CaseComparison(key, name, measures[0].outcome, None, measures)


def _measure(
    measure: Measure, values: Sequence[float], rows: Sequence[LaunchRow], pairs: int, limits: Limits
) -> MeasureComparison:
    alpha = limits.alpha_of_a_look
    bounds = median_bounds(values, alpha)
    low, high = (None if bound is None else math.exp(bound) for bound in (bounds.low, bounds.high))
    half = None
    if bounds.low is not None and bounds.high is not None:
        half = math.expm1(max(bounds.median - bounds.low, bounds.high - bounds.median))
    within = measure.limit(limits)
    return MeasureComparison(
        measure=measure.name,
        how="in turn",
        ratio=math.exp(bounds.median),
        low=low,
        high=high,
        pairs=pairs,
        noise=noise_of_base(rows, measure, alpha),
        visible=half,
        within=within,
        outcome=outcome_of(measure.name, low, high, within),
    )


def as_comparison(rows: Sequence[LaunchRow], limits: Limits, last: bool, others: int) -> tuple[Decision, str]:
    """`gating.Judging` from both sides: a case is decided once its CPU time and its memory are."""
    case = compare_launches(rows, limits)[0]
    if not case.measures:
        return Decision.INVALID if case.outcome is Outcome.INVALID else Decision.NOT_MEASURED, case.outcome
    needed = {measure.name for measure in MEASURES if measure.must_pass}
    untold = any(each.measure in needed and each.outcome is Outcome.UNTOLD for each in case.measures)
    return Decision.INCONCLUSIVE if untold else Decision.PASS, case.outcome
