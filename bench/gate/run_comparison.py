"""Two runs, A and B, case by case, from their rows.

Rows of two runs did not run in turn: the machine may have been another one each time, even if it is the same. A variant
that both measured in turn with the case, the anchor, takes that out: (case / anchor in B) / (case / anchor in A). Where
there is none, times are compared as they are, which is said; little is told from them, and on another class of host
nothing.

The rounds of a run share their process, so that an interval of rounds leaves out what differs from process to process.
An interval is therefore widened by the spread of the rounds before anything is told from it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...pipeline.row import Row, Status
from ..cases import ANCHOR
from ..row_names import case_name
from ..statistics import quartile_spread, quotient_interval
from .comparison import CaseComparison, MeasureComparison, Outcome, outcome_of
from .judgement import Limits

NOT_IN_TURN = "times, not in turn"
_NOISE_OF_SESSIONS = 1.41
"""By how much the times of 120 identical runs on a shared machine differed, as a share; ratios in turn did not."""
TIMES: dict[str, Callable[[Row], list[float] | None]] = {
    "CPU time": lambda row: row.cpu_seconds,
    "wall time": lambda row: row.seconds,
}
_WRONG = {Status.MISMATCH, Status.FAILED, Status.FELL_BACK}


def in_turn(row: Row, other: Row) -> bool:
    """Whether two rows are sound, of one problem, and were measured in turn."""
    sound = row.status is other.status is Status.OK and row.in_turn_with(other)
    same = row.stage == other.stage and row.problem_digest == other.problem_digest
    return sound and same and row.threads == other.threads and row.variant != other.variant


def anchors(row: Row, rows: Sequence[Row]) -> dict[str, Row]:
    """By name, the variants measured in turn with a row: `ANCHOR` first where it is one of them.

    `ANCHOR` itself has none: another's being faster would make it slower.
    """
    if row.variant == ANCHOR:
        return {}
    found = {other.variant: other for other in rows if in_turn(row, other)}
    return dict(sorted(found.items(), key=lambda each: each[0] != ANCHOR))


def host_differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> str | None:
    """How two classes of hosts (`host.fingerprint`) differ, or None."""
    parts = [
        f"{part} {first.get(part)} and {second.get(part)}"
        for part in dict.fromkeys([*first, *second])
        if first.get(part) != second.get(part)
    ]
    return "; ".join(parts) or None


def compare_runs(before: Sequence[Row], after: Sequence[Row], limits: Limits) -> list[CaseComparison]:
    """B with A, in the order of B, then what only A has; one row a case in either."""
    found = []
    for row in after:
        same = [each for each in before if _but_threads(each) == _but_threads(row)]
        other = next((each for each in same if each.threads == row.threads), same[0] if same else None)
        name = case_name(row, after)
        if other is None:
            found.append(CaseComparison(row.key, name, Outcome.NOT_COMPARED, "only in B", ()))
            continue
        if (refused := _refusal(other, row)) is not None:
            found.append(CaseComparison(row.key, name, *refused, ()))
            continue
        measures = tuple(_measures(other, row, before, after, limits))
        found.append(CaseComparison(row.key, name, measures[0].outcome, None, measures))
    there = {_but_threads(row) for row in after}
    lost = [row for row in before if _but_threads(row) not in there]
    return found + [
        CaseComparison(row.key, case_name(row, before), Outcome.NOT_COMPARED, "only in A", ()) for row in lost
    ]


def _but_threads(row: Row) -> tuple:
    stage, variant, dataset, scale, _, parameters = row.key
    return stage, variant, dataset, scale, parameters


def _refusal(first: Row, second: Row) -> tuple[Outcome, str] | None:
    """Why two rows of a case are not compared, or None."""
    told = [
        f"{side} is {row.status}" + (f" ({row.reason})" if row.reason else "")
        for side, row in (("A", first), ("B", second))
        if row.status is not Status.OK
    ]
    if told:
        wrong = {first.status, second.status} & _WRONG
        return Outcome.INVALID if wrong else Outcome.NOT_COMPARED, "; ".join(told)
    if first.threads != second.threads:
        return Outcome.NOT_COMPARED, f"A had {first.threads} threads, B {second.threads}; run both with the same"
    if first.problem_digest != second.problem_digest:
        return Outcome.NOT_COMPARED, "they do not solve the same problem: the dataset or its model differs"
    if not first.seconds or not second.seconds:
        return Outcome.NOT_COMPARED, "no times"
    return None


def _measures(
    first: Row, second: Row, before: Sequence[Row], after: Sequence[Row], limits: Limits
) -> Iterator[MeasureComparison]:
    theirs, ours = anchors(first, before), anchors(second, after)
    anchor = next((name for name in ours if name in theirs), None)
    for measure, times in TIMES.items():
        bottoms, tops = times(first) or [], times(second) or []
        how = NOT_IN_TURN
        if anchor is not None:
            how = f"to {anchor}"
            bottoms = ratios(bottoms, times(theirs[anchor]) or [])
            tops = ratios(tops, times(ours[anchor]) or [])
        if bottoms and tops and min(*bottoms, *tops) > 0:
            trusted = anchor is not None or first.host == second.host
            yield _of_rounds(measure, how, bottoms, tops, limits.slowdown, trusted)
    if first.peak_bytes and second.peak_bytes:
        yield _of_peaks(first, second, limits.memory_growth)


def ratios(values: Sequence[float], anchors: Sequence[float]) -> list[float]:
    """Round by round, as far as both have rounds."""
    return [value / anchor for value, anchor in zip(values, anchors, strict=False) if anchor > 0]


def _of_rounds(
    measure: str, how: str, bottoms: Sequence[float], tops: Sequence[float], within: float, trusted: bool
) -> MeasureComparison:
    interval = quotient_interval(tops, bottoms)
    noise = max(quartile_spread(bottoms), quartile_spread(tops), _NOISE_OF_SESSIONS if how == NOT_IN_TURN else 0.0)
    outcome, visible = Outcome.UNTOLD, None
    if interval.low is not None and interval.high is not None:
        visible = (1 + noise) * max(interval.median / interval.low, interval.high / interval.median) - 1
        if trusted:
            outcome = outcome_of(measure, interval.low / (1 + noise), interval.high * (1 + noise), within)
    return MeasureComparison(
        measure=measure,
        how=how,
        ratio=interval.median,
        low=interval.low,
        high=interval.high,
        pairs=min(len(bottoms), len(tops)),
        noise=noise,
        visible=visible,
        within=within,
        outcome=outcome,
    )


def _of_peaks(first: Row, second: Row, within: float) -> MeasureComparison:
    """Of one figure a side; what differs by less than ``within`` is the same."""
    assert first.peak_bytes and second.peak_bytes
    ratio = second.peak_bytes / first.peak_bytes
    outcome = outcome_of("peak memory", ratio, ratio, within) if first.host == second.host else Outcome.UNTOLD
    return MeasureComparison("peak memory", "one figure each", ratio, None, None, 1, None, None, within, outcome)
