"""What a tuning says: quality and cost of each trial, the Pareto front, which parameters to take; pure functions."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ..pipeline.contract import Scalar
from ..pipeline.errors import InputError
from .fold_row import FoldRow, fold_key

COSTS = {"cpu": "CPU time", "time": "run time", "memory": "peak memory"}
"""What quality is weighed against: what the mean over the folds is taken of."""


@dataclass(frozen=True)
class Trial:
    """A set of parameters over the folds that it has been tried on.

    qualities: of the metric, a value for each fold that has one, in their order.
    seconds, cpu_seconds, peak_bytes: means over those folds; None where there is none, or it was not measured.
    failures: of the other folds.
    folds: how many there are to try.
    """

    parameters: dict[str, Scalar]
    qualities: tuple[float, ...]
    seconds: float | None
    cpu_seconds: float | None
    peak_bytes: float | None
    failures: tuple[str, ...]
    folds: int

    @property
    def complete(self) -> bool:
        """Whether every fold has a quality; means over other folds are not to be compared."""
        return len(self.qualities) == self.folds

    @property
    def mean(self) -> float:
        """Mean quality over the folds; NaN without any."""
        return statistics.fmean(self.qualities) if self.qualities else math.nan

    @property
    def standard_error(self) -> float:
        """Of the mean: the sample deviation of the folds over the root of their number; NaN for fewer than two."""
        count = len(self.qualities)
        return statistics.stdev(self.qualities) / math.sqrt(count) if count > 1 else math.nan

    def cost(self, of: str) -> float:
        """One of `COSTS`; infinity where it was not measured."""
        found = {"cpu": self.cpu_seconds, "time": self.seconds, "memory": self.peak_bytes}[of]
        return math.inf if found is None else found


@dataclass(frozen=True)
class Choice:
    """Trials from the best to the worst, and those to consider, None or empty where no trial is complete.

    front: no other trial is better and as cheap, or cheaper and as good.
    best: of the best mean. thrifty: the cheapest whose mean is within one standard error of the best's, by which what
    is chosen is not more costly than the folds can tell apart (Breiman, Friedman, Olshen, Stone, "Classification and
    regression trees", 1984, section 3.4.3).
    """

    trials: tuple[Trial, ...]
    front: tuple[Trial, ...]
    best: Trial | None
    thrifty: Trial | None


def metric_of(rows: Sequence[FoldRow], asked: str | None) -> str | None:
    """The measure to choose by: the one asked for, else the stage's first; None where no row has any.

    Raises:
        InputError: there is no such measure.

    """
    measures = next((list(row.quality) for row in rows if row.quality), None)
    if measures is None:
        return None
    if asked is not None and asked not in measures:
        raise InputError(f"--metric {asked}: the stage tells {', '.join(measures)}; choose one")
    return asked or measures[0]


def trials_of(rows: Sequence[FoldRow], metric: str | None) -> list[Trial]:
    """The trials in the order of their first rows."""
    grouped: dict[str, list[FoldRow]] = {}
    for row in rows:
        grouped.setdefault(fold_key(row.parameters, 0)[0], []).append(row)
    return [_trial(sorted(members, key=lambda row: row.fold), metric) for members in grouped.values()]


def _trial(rows: list[FoldRow], metric: str | None) -> Trial:
    good = [row for row in rows if row.quality and metric]
    return Trial(
        parameters=rows[0].parameters,
        qualities=tuple(row.quality[metric] for row in good if row.quality and metric),
        seconds=_mean([row.seconds for row in good]),
        cpu_seconds=_mean([row.cpu_seconds for row in good]),
        peak_bytes=_mean([row.peak_bytes for row in good]),
        failures=tuple(f"fold {row.fold + 1}: {row.failure}" for row in rows if row.failure),
        folds=rows[0].folds,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def chosen(trials: Sequence[Trial], goal: str, cost: str) -> Choice:
    """What to take of the trials.

    Args:
        trials: in any order; only complete ones are chosen from, the others come last.
        goal: ``highest`` or ``lowest``, whichever quality is the best.
        cost: one of `COSTS`.

    """
    sign = 1 if goal == "highest" else -1
    complete = sorted((each for each in trials if each.complete), key=lambda each: (-sign * each.mean, each.cost(cost)))
    others = [each for each in trials if not each.complete]
    if not complete:
        return Choice(tuple(others), (), None, None)
    best = complete[0]
    near = [each for each in complete if sign * (best.mean - each.mean) <= best.standard_error]
    on_front = pareto_front([(each.cost(cost), -sign * each.mean) for each in complete])
    return Choice(
        trials=(*complete, *others),
        front=tuple(each for each, is_on in zip(complete, on_front, strict=True) if is_on),
        best=best,
        thrifty=min(near, key=lambda each: each.cost(cost)),
    )


def pareto_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Of each point of two costs: whether no other is at most as high in both and lower in one."""
    kept: set[tuple[float, float]] = set()
    least = math.inf
    for point in sorted(set(points)):  # of equal firsts the lowest second comes first
        if point[1] < least:
            kept.add(point)
            least = point[1]
    return [point in kept for point in points]
