"""From the rows of many runs to the history of each case: a ratio to the anchor per commit, and where it stepped.

Times of different sessions are never compared, since those of a shared machine differ by themselves: a point is how
many times as fast as the anchor a case was in the sessions that measured both in turn.
"""

import itertools
import json
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..pipeline.contract import Scalar
from ..pipeline.row import CaseKey, Row, Status
from .change_points import ALPHA, change_points
from .statistics import Interval, median_interval

SHORT = 12
"""So much of a commit's hash is shown."""
_SeriesKey = tuple[CaseKey, str, str, str]


@dataclass(frozen=True)
class Point:
    """A commit of a history. ratio: how many times as fast as the anchor. rounds: what it is the median of."""

    commit: str
    ratio: Interval
    rounds: int


@dataclass(frozen=True)
class Change:
    """A step in a history. commit: the first with the new level. last_before: the measured one before it.

    slower: share of its time by which the case became slower; below 0 where it became faster.
    probability: of any step as clear as this one where there is none, over all series of the history.
    """

    commit: str
    last_before: str
    slower: float
    probability: float


@dataclass(frozen=True)
class Series:
    """The history of a case on one class of host, with one Python and one input; points in the order of commits."""

    name: str
    stage: str
    variant: str
    dataset: str
    scale: float
    threads: int
    parameters: dict[str, Scalar]
    problem_digest: str
    host: dict[str, Any]
    python: str
    points: tuple[Point, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class History:
    """What was measured, commit by commit.

    commits: all that have a point, in order. alpha: probability of any change point where there is none.
    left_out: how many rows of right answers tell nothing here, by the reason.
    """

    anchor: str
    alpha: float
    commits: tuple[str, ...]
    series: tuple[Series, ...]
    left_out: dict[str, int]


def history(rows: Sequence[Row], ancestry: Sequence[str], anchor: str, alpha: float = ALPHA) -> History:
    """The history of the cases whose rows are there with those of their anchor.

    Args:
        rows: of any number of runs; several of one commit are pooled, round by round.
        ancestry: commits in git's order, oldest first. Those that are not among it stand before, by time of
            measurement: a clone without its oldest commits does not know them.
        anchor: the variant of each stage that the others are compared with.
        alpha: see `History`.

    """
    ratios, left_out = _ratios(rows, anchor)
    commits = _ordered(rows, ancestry)
    points = {key: _points(of_commit, commits) for key, (_, of_commit) in ratios.items()}
    series = tuple(
        _series(row, points[key], _changes(points[key], alpha, len(ratios))) for key, (row, _) in ratios.items()
    )
    measured = {point.commit for each in series for point in each.points}
    kept = tuple(commit for commit in commits if commit in measured)
    return History(anchor, alpha, kept, series, dict(left_out))


def full_names(series: Sequence[Series]) -> list[str]:
    """The name of each series, with what tells it from others of the same name."""
    return [" ".join([each.name, *_apart(each, [o for o in series if o.name == each.name])]) for each in series]


def _apart(series: Series, others: Sequence[Series]) -> list[str]:
    of_others = [_particulars(other) for other in others]
    told = [
        text
        for name, text in _particulars(series).items()
        if any(name in other and text != other[name] for other in of_others)
    ]
    if not told and any(other.problem_digest != series.problem_digest for other in others):
        told = [f"input {series.problem_digest[:SHORT]}"]
    return told


def _particulars(series: Series) -> dict[str, str]:
    """What series of one name may differ in, as text by what it is."""
    chosen = {name: f"{name}={value}" for name, value in series.parameters.items()}
    host = {f"host {name}": f"{name} {value}" for name, value in series.host.items()}
    rest = {"threads": f"{series.threads} threads", "python": f"Python {series.python}"}
    return chosen | rest | host


def _series(row: Row, points: tuple[Point, ...], changes: tuple[Change, ...]) -> Series:
    return Series(
        name=case_name(row),
        stage=row.stage,
        variant=row.variant,
        dataset=row.dataset,
        scale=row.scale,
        threads=row.threads,
        parameters=row.parameters,
        problem_digest=row.problem_digest,
        host=row.host,
        python=row.python,
        points=points,
        changes=changes,
    )


def case_name(row: Row) -> str:
    """``stage/variant dataset@scale``: what expressions match."""
    return f"{row.stage}/{row.variant} {row.dataset}@{row.scale:g}"


def _ratios(
    rows: Sequence[Row], anchor: str
) -> tuple[dict[_SeriesKey, tuple[Row, dict[str, list[float]]]], Counter[str]]:
    """For each series a row and, by commit, the ratios of all rounds; and why other rows have none."""
    anchors = {_problem_of(row): row for row in rows if row.variant == anchor and row.status is Status.OK}
    found: dict[_SeriesKey, tuple[Row, dict[str, list[float]]]] = {}
    left_out: Counter[str] = Counter()
    for row in rows:
        if row.variant == anchor or row.status is not Status.OK or row.seconds is None:
            continue
        over = anchors.get(_problem_of(row))
        if row.commit is None:
            left_out["measured outside of a git checkout"] += 1
        elif row.dirty:
            left_out["measured with files changed since the commit"] += 1
        elif over is None or over.seconds is None or not row.in_turn_with(over):
            left_out[f"not measured in turn with {anchor}"] += 1
        else:
            of_commit = found.setdefault(_series_of(row), (row, {}))[1]
            pairs = zip(over.seconds, row.seconds, strict=False)
            of_commit.setdefault(row.commit, []).extend(above / below for above, below in pairs)
    return found, left_out


def _problem_of(row: Row) -> tuple[str | None, ...]:
    """Rows that were measured in turn, on one problem, have this in common."""
    _, _, *case = row.key
    return row.session, row.run_id, row.commit, row.stage, row.problem_digest, str(case), str(row.device_memory)


def _series_of(row: Row) -> _SeriesKey:
    return row.key, row.problem_digest, json.dumps(row.host, sort_keys=True), row.python


def _ordered(rows: Sequence[Row], ancestry: Sequence[str]) -> list[str]:
    places = {commit: place for place, commit in enumerate(ancestry)}
    first: dict[str, str] = {}
    for row in rows:
        if row.commit is not None:
            first[row.commit] = min(row.started, first.get(row.commit, row.started))
    return sorted(first, key=lambda commit: (places.get(commit, -1), first[commit]))


def _points(of_commit: Mapping[str, Sequence[float]], commits: Sequence[str]) -> tuple[Point, ...]:
    return tuple(
        Point(commit, median_interval(of_commit[commit]), len(of_commit[commit]))
        for commit in commits
        if commit in of_commit
    )


def _changes(points: Sequence[Point], alpha: float, series: int) -> tuple[Change, ...]:
    logarithms = [math.log(point.ratio.median) for point in points]
    return tuple(
        Change(points[each.index].commit, points[each.index - 1].commit, math.exp(-each.step) - 1, each.probability)
        for each in change_points(logarithms, alpha, series)
    )


def levels(series: Series) -> list[tuple[int, int, float]]:
    """First index, the index behind the last, and the median ratio of the stretches between change points."""
    starts = {change.commit for change in series.changes}
    cuts = [index for index, point in enumerate(series.points) if point.commit in starts]
    bounds = [0, *cuts, len(series.points)]
    return [
        (first, stop, statistics.median(point.ratio.median for point in series.points[first:stop]))
        for first, stop in itertools.pairwise(bounds)
    ]
