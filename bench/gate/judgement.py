"""From launches to verdicts: which cases became slower or bigger, which did not, and which cannot be told.

A launch gives one number for each measure: the median over its pairs of log(head / base). Pairs of one launch share its
processes, so that tests and bounds are of launches. They are looked at a few times while they come in, at an equal
share of alpha each time (Bonferroni over the looks, Holm over cases and measures).

- A case *passes* once the upper bound of each measure that must pass is within its limit.
- A *regression* is told once a slow-down is above the limit for sure; at the last look also where there is a slow-down
  for sure, and its median is above the limit.
- All else goes on, and is *inconclusive* at the last look.

So a change that costs nothing is told a regression with probability alpha at most over the whole matrix, and one that
is slower than the limit passes with probability alpha at most.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ...pipeline.errors import InputError
from ...pipeline.row import CaseKey, Status
from ..launch_row import AGAIN, BASE, HEAD, ArmSample, LaunchRow, by_case
from .signs import fewest_values, median_bounds, probability_above, rejected


class Decision(StrEnum):
    """What is said of a case, or of one measure of it."""

    PASS = "pass"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Limits:
    """What is allowed, as shares: 0.03 is 3 %.

    slowdown: of time and of instructions. memory_growth: of the peak resident set.
    alpha: probability of a false alarm over all cases and looks. looks: how often the launches are looked at.
    """

    slowdown: float = 0.03
    memory_growth: float = 0.10
    alpha: float = 0.01
    looks: int = 4

    def __post_init__(self) -> None:
        """Refuse what no number of launches could hold, or all would.

        Raises:
            InputError: alpha is no probability between 0 and 1.

        """
        if not 0 < self.alpha < 1:
            raise InputError(f"alpha is {100 * self.alpha:g} %; choose one above 0 % and below 100 %, as 1%")

    @property
    def alpha_of_a_look(self) -> float:
        """Each look's share."""
        return self.alpha / self.looks

    def launches_at(self, most: int) -> list[int]:
        """After how many launches to look, the last time after ``most`` of them, or what the first look needs."""
        first = fewest_values(self.alpha_of_a_look)
        step = max(0, most - first) / max(1, self.looks - 1)
        return sorted({first + round(look * step) for look in range(self.looks)})


@dataclass(frozen=True)
class Measure:
    """Something that a sample has a number of, in every pair or once a launch.

    must_pass: whether a case passes only with it. Wall time on a shared machine is too noisy for that: it tells a
    regression that is sure, and keeps no case from passing.
    """

    name: str
    values: Callable[[ArmSample], Sequence[float] | None]
    limit: Callable[[Limits], float]
    must_pass: bool


MEASURES = (
    Measure("CPU time", lambda sample: sample.cpu_seconds or None, lambda limits: limits.slowdown, True),
    Measure("wall time", lambda sample: sample.seconds or None, lambda limits: limits.slowdown, False),
    Measure("instructions", lambda sample: sample.instructions, lambda limits: limits.slowdown, False),
    Measure(
        "peak memory",
        lambda sample: None if sample.peak_bytes is None else [sample.peak_bytes],
        lambda limits: limits.memory_growth,
        True,
    ),
)


@dataclass(frozen=True)
class MeasureVerdict:
    """Of one measure of one case. Ratios are head / base.

    ratio, low, high: median and one-sided bounds at a look's alpha; None where the launches are too few.
    noise: half the distance between the bounds of base / base, as a share; None as above.
    visible: the smallest slow-down that would have been told from none, as a share.
    probability: of so many launches above the limit were the slow-down within it (above none, where `_alarms` says so).
    """

    measure: str
    decision: Decision
    ratio: float
    low: float | None
    high: float | None
    noise: float | None
    visible: float | None
    limit: float
    probability: float


@dataclass(frozen=True)
class CaseVerdict:
    """Of one case; ``reason`` says why it is not judged, or not sure."""

    key: CaseKey
    name: str
    decision: Decision
    reason: str | None
    launches: int
    pairs: int
    measures: tuple[MeasureVerdict, ...]


def log_ratios(rows: Iterable[LaunchRow], measure: Measure, above: str, below: str) -> list[float]:
    """One number a launch: the median over its pairs of log(above / below), where both arms have the measure.

    Some counters are there and stay at 0: they measure nothing.
    """
    found = []
    for row in rows:
        if above not in row.arms or below not in row.arms:
            continue
        tops, bottoms = measure.values(row.arms[above]), measure.values(row.arms[below])
        if tops and bottoms and min(*tops, *bottoms) > 0:
            pairs = zip(tops, bottoms, strict=False)
            found.append(statistics.median(math.log(top / bottom) for top, bottom in pairs))
    return found


def noise_of_base(rows: Iterable[LaunchRow], measure: Measure, alpha: float) -> float | None:
    """Half the distance between the bounds of base / base, as a share; None for too few launches."""
    again = log_ratios(rows, measure, AGAIN, BASE)
    half_width = median_bounds(again, alpha).half_width if again else None
    return None if half_width is None else math.expm1(half_width)


def judge(rows: Sequence[LaunchRow], limits: Limits, last: bool, others: int = 0) -> list[CaseVerdict]:
    """A verdict for each case, in the order of its first row.

    Args:
        rows: launches, in order.
        limits: what is allowed.
        last: whether there will be no more launches.
        others: how many cases of the matrix have no rows yet.

    """
    cases = by_case(rows)
    sound = {key: unsound(of_case) is None for key, of_case in cases.items()}
    series = {
        (key, measure.name): values
        for key, of_case in cases.items()
        for measure in MEASURES
        if sound[key] and (values := log_ratios(of_case, measure, HEAD, BASE))
    }
    alarms = _alarms(series, limits, last, others * len(MEASURES))
    return [_case(key, of_case, series, alarms, limits, last) for key, of_case in cases.items()]


def _alarms(
    series: dict[tuple[CaseKey, str], list[float]], limits: Limits, last: bool, others: int
) -> dict[tuple[CaseKey, str], tuple[float, bool]]:
    """The probability of each series under its hypothesis, and whether that is rejected among all, ``others`` included.

    The hypothesis is that the median is within the limit; at the last look, where it is not, that it is no slow-down.
    """
    limit_of = {measure.name: math.log1p(measure.limit(limits)) for measure in MEASURES}
    probabilities = []
    for (_, name), values in series.items():
        clear = last and statistics.median(values) > limit_of[name]
        probabilities.append(probability_above(values, 0.0 if clear else limit_of[name]))
    told = rejected([*probabilities, *[1.0] * others], limits.alpha_of_a_look)
    return dict(zip(series, zip(probabilities, told, strict=False), strict=True))


def _case(
    key: CaseKey,
    rows: list[LaunchRow],
    series: dict[tuple[CaseKey, str], list[float]],
    alarms: dict[tuple[CaseKey, str], tuple[float, bool]],
    limits: Limits,
    last: bool,
) -> CaseVerdict:
    name = rows[0].case_name
    if (why := unsound(rows)) is not None:
        decision, reason = why
        return CaseVerdict(key, name, decision, reason, len(rows), 0, ())
    found = tuple(
        _measure(measure, series[key, measure.name], rows, alarms[key, measure.name], limits)
        for measure in MEASURES
        if (key, measure.name) in series
    )
    decision, reason = joined(found, last)
    pairs = sum(len(row.arms[HEAD].cpu_seconds) for row in rows)
    return CaseVerdict(key, name, decision, reason, len(rows), pairs, found)


def _measure(
    measure: Measure, values: list[float], rows: list[LaunchRow], alarm: tuple[float, bool], limits: Limits
) -> MeasureVerdict:
    bounds = median_bounds(values, limits.alpha_of_a_look)
    limit = measure.limit(limits)
    probability, alarming = alarm
    decision = Decision.INCONCLUSIVE
    if alarming:
        decision = Decision.REGRESSION
    elif bounds.high is not None and math.expm1(bounds.high) <= limit:
        decision = Decision.PASS
    return MeasureVerdict(
        measure.name,
        decision,
        math.exp(bounds.median),
        None if bounds.low is None else math.exp(bounds.low),
        None if bounds.high is None else math.exp(bounds.high),
        noise_of_base(rows, measure, limits.alpha_of_a_look),
        None if bounds.low is None else math.expm1(bounds.median - bounds.low),
        limit,
        probability,
    )


def joined(found: Sequence[MeasureVerdict], last: bool) -> tuple[Decision, str | None]:
    """A case's decision from those of its measures, and at the last look why there is none."""
    must_pass = {measure.name for measure in MEASURES if measure.must_pass}
    slower = [each.measure for each in found if each.decision is Decision.REGRESSION]
    if slower:
        return Decision.REGRESSION, None
    open_ones = [each for each in found if each.measure in must_pass and each.decision is not Decision.PASS]
    if not open_ones:
        return Decision.PASS, None
    told = []
    for each in open_ones:
        seen = "too few launches" if each.visible is None else f"an effect of {100 * each.visible:.2g} % would be seen"
        noise = "" if each.noise is None else f", the base differs from itself by {100 * each.noise:.2g} %"
        told.append(f"{each.measure}: {seen}{noise}; the limit is {100 * each.limit:.3g} %")
    return Decision.INCONCLUSIVE, "; ".join(told) if last else None


def unsound(rows: Sequence[LaunchRow]) -> tuple[Decision, str] | None:
    """Why the launches of a case cannot be judged: invalid, or not measured; None where they can."""
    for row in rows:
        base, head = row.arms[BASE], row.arms[HEAD]
        again = row.arms.get(AGAIN, base)
        if head.status is Status.MISMATCH or (head.status is not Status.OK and base.status is Status.OK):
            return Decision.INVALID, f"{HEAD}: {head.status}: {head.reason}"
        if base.status is not Status.OK:  # a head that mends it is not to be kept out
            return Decision.NOT_MEASURED, f"{BASE}: {base.status}: {base.reason}; there is nothing to compare with"
        if again.status is not Status.OK:
            return Decision.INVALID, f"{AGAIN}: {again.status}: {again.reason}"
        if not all(min(each.cpu_seconds, default=0) > 0 for each in (base, head)):
            return Decision.INVALID, "no CPU time was measured"
        if base.problem_digest != head.problem_digest:
            return Decision.INVALID, "base and head do not solve the same problem: the dataset or its model differs"
        if head.error is not None and base.tolerance is not None and head.error > base.tolerance:
            return (
                Decision.INVALID,
                f"head: the answer is off by {head.error:.3g}; the base's tolerance is {base.tolerance:g}",
            )
    return None


def without_time(key: CaseKey, name: str) -> CaseVerdict:
    """Of a case that the budget did not reach: it does not pass."""
    return CaseVerdict(key, name, Decision.INCONCLUSIVE, "the budget was spent before its first launch", 0, 0, ())


EXIT_CODES = {Decision.PASS: 0, Decision.REGRESSION: 1, Decision.INCONCLUSIVE: 3, Decision.INVALID: 4}


def joint(verdicts: Sequence[CaseVerdict]) -> Decision:
    """The gravest decision of all; invalid where nothing was measured."""
    found = {verdict.decision for verdict in verdicts}
    for decision in (Decision.INVALID, Decision.REGRESSION, Decision.INCONCLUSIVE, Decision.PASS):
        if decision in found:
            return decision
    return Decision.INVALID
