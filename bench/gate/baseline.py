"""Judging against stored rows: what a case takes now, in its anchor's time, with what it took in it then.

(case / anchor now) / (case / anchor then): the anchor's time now, times the stored ratio, is what the case took then on
the machine as it is now. That stands for the base, and the gate judges the case against it. The stored ratio is of one
session, so that it is as unsure as one session now, or as its own interval where that is wider: what is told a
regression is one from the upper end, what passes does so from the lower end. Memory is compared as it is.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from ...pipeline.row import CaseKey, Row, Status
from ..cases import ANCHOR
from ..launch_row import BASE, HEAD, ArmSample, LaunchRow
from ..statistics import LEAST_ROUNDS, median_interval
from .judgement import MEASURES, CaseVerdict, Decision, Limits, MeasureVerdict, joined, judge, log_ratios
from .run_comparison import TIMES, anchors, ratios

_OF_A_SESSION = 1.96 * 1.4826
"""From the median absolute deviation of sessions to the half-width of 95 % of them, were they normal."""


@dataclass(frozen=True)
class Stored:
    """Of a case in a baseline. times: log (case / anchor), by measure, with the half-width of its interval.

    peak_bytes: of the case; None where the row has none.
    """

    anchor: str
    problem_digest: str
    times: Mapping[str, tuple[float, float]]
    peak_bytes: int | None


def stored(row: Row, rows: Sequence[Row]) -> Stored | str:
    """What a row says of its case, or why it cannot be judged against."""
    if row.status is not Status.OK:
        return f"in the baseline it is {row.status}" + (f": {row.reason}" if row.reason else "")
    if row.variant == ANCHOR:
        return "it is the anchor that the others are judged by; --base judges it, too"
    beside = anchors(row, rows)
    if not beside:
        return "in the baseline nothing was measured in turn with it; measure it with another variant"
    anchor, other = next(iter(beside.items()))
    times = {}
    for measure, values in TIMES.items():
        found = ratios(values(row) or [], values(other) or [])
        if len(found) < LEAST_ROUNDS or min(found) <= 0:
            return f"the baseline has less than {LEAST_ROUNDS} rounds of it in turn with {anchor}"
        interval = median_interval(found)
        assert interval.low is not None and interval.high is not None
        times[measure] = math.log(interval.median), math.log(interval.high / interval.low) / 2
    return Stored(anchor, row.problem_digest, times, row.peak_bytes)


def as_launch(case: Row, anchor: Row, number: int, gate_id: str, command: str) -> LaunchRow:
    """A session's two rows as a launch whose base is the anchor."""
    return LaunchRow(
        gate_id=gate_id,
        stage=case.stage,
        variant=case.variant,
        device=case.device,
        dataset=case.dataset,
        scale=case.scale,
        threads=case.threads,
        parameters=case.parameters,
        launch=number,
        repeats=1,
        arms={BASE: _sample(anchor), HEAD: _sample(case)},
        host=case.host,
        alerts=case.alerts,
        started=case.started,
        command=command,
    )


def _sample(row: Row) -> ArmSample:
    return ArmSample(
        revision=row.commit or "installed",
        status=row.status,
        reason=row.reason,
        executed=row.executed,
        seconds=row.seconds or [],
        cpu_seconds=row.cpu_seconds or [],
        peak_bytes=row.peak_bytes,
        setup_seconds=row.setup_seconds,
        error=row.error,
        tolerance=row.tolerance,
        problem_digest=row.problem_digest,
        versions=row.versions,
    )


def judge_against(
    rows: Sequence[LaunchRow], baseline: Mapping[CaseKey, Stored], limits: Limits, last: bool, others: int = 0
) -> list[CaseVerdict]:
    """As `judgement.judge`; rows are those of `as_launch`, and the baseline has their cases."""
    unsure = {
        (key, measure): _unsure(measure, [row for row in rows if row.key == key], baseline[key])
        for key in {row.key for row in rows}
        for measure in (*TIMES, "peak memory")
    }

    def judged(side: float) -> list[CaseVerdict]:
        shifts = {name: side * share for name, share in unsure.items()}
        return judge([_from_baseline(row, baseline[row.key], shifts) for row in rows], limits, last, others)

    return [_case(of_case, unsure, last) for of_case in zip(judged(-1.0), judged(0.0), judged(1.0), strict=True)]


def _unsure(measure: str, rows: Sequence[LaunchRow], stored: Stored) -> float:
    """By how much a stored figure may be off, in logs."""
    if measure in stored.times:
        of_measure = next(each for each in MEASURES if each.name == measure)
        values = log_ratios(rows, of_measure, HEAD, BASE)
        own = stored.times[measure][1]
    else:
        values = [math.log(peak) for row in rows if (peak := row.arms[HEAD].peak_bytes)]
        own = 0.0
    if not values:
        return own
    median = statistics.median(values)
    return max(own, _OF_A_SESSION * statistics.median(abs(value - median) for value in values))


def _from_baseline(row: LaunchRow, then: Stored, shifts: Mapping[tuple[CaseKey, str], float]) -> LaunchRow:
    """The row with a base that took, in the anchor's time, what the case took then."""
    anchor = row.arms[BASE]
    factors = {name: math.exp(log + shifts[row.key, name]) for name, (log, _) in then.times.items()}
    peak = None if then.peak_bytes is None else round(then.peak_bytes * math.exp(shifts[row.key, "peak memory"]))
    base = msgspec.structs.replace(
        anchor,
        cpu_seconds=[seconds * factors["CPU time"] for seconds in anchor.cpu_seconds],
        seconds=[seconds * factors["wall time"] for seconds in anchor.seconds],
        peak_bytes=peak,
        problem_digest=then.problem_digest,
    )
    return msgspec.structs.replace(row, arms={**row.arms, BASE: base})


def _case(
    found: tuple[CaseVerdict, CaseVerdict, CaseVerdict], unsure: Mapping[tuple[CaseKey, str], float], last: bool
) -> CaseVerdict:
    """One verdict from those against the lower end, the middle and the upper end of what is stored."""
    lower, middle, upper = found
    if not middle.measures:
        return middle
    measures = tuple(
        _measure(*of_measure, math.expm1(unsure[middle.key, of_measure[1].measure]))
        for of_measure in zip(lower.measures, middle.measures, upper.measures, strict=True)
    )
    decision, reason = joined(measures, last)
    return replace(middle, decision=decision, reason=reason, measures=measures)


def _measure(lower: MeasureVerdict, middle: MeasureVerdict, upper: MeasureVerdict, unsure: float) -> MeasureVerdict:
    decision = Decision.INCONCLUSIVE
    if upper.decision is Decision.REGRESSION:
        decision = Decision.REGRESSION
    elif lower.decision is Decision.PASS:
        decision = Decision.PASS
    return replace(
        middle,
        decision=decision,
        low=upper.low,
        high=lower.high,
        noise=unsure,
        visible=None if middle.visible is None else (1 + middle.visible) * (1 + unsure) - 1,
        probability=upper.probability,
    )
