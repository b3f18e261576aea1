"""What the models of a plan are fitted to: the right answers' rows of one variant along one axis, all else equal."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ...pipeline.contract import Scalar
from ...pipeline.row import Row, Status

ROWS, THREADS = "rows", "threads"
_PAIRS = "non-zeros"
"""The size by which a stage of interactions counts what it learns from."""
_NO_AXIS = frozenset({"seed"})
"""Parameters that are numbers, but not amounts of anything."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """What was measured at one value of an axis. Times are seconds, sizes bytes; None is not measured.

    at: the value on the curve's axis. seconds: of each timed round, of all runs that measured it. sizes: the problem's
    (`Row.sizes`). phases: median seconds of each phase; empty for a run without phases. Of bytes, those of the run that
    took most. watts: mean power by device (``cpu``, ``gpu``) where there was a meter. started: when the newest run was.
    """

    at: float
    seconds: tuple[float, ...]
    sizes: dict[str, int]
    phases: dict[str, float]
    setup_seconds: float | None
    fetch_seconds: float | None
    peak_bytes: int | None
    resident_bytes: int | None
    gpu_peak_bytes: int | None
    transferred_bytes: dict[str, int]
    watts: dict[str, float] = field(default_factory=dict)
    started: str = ""

    @property
    def median_seconds(self) -> float:
        """Of all rounds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Curve:
    """One variant along one axis on one class of host, with one set of versions; points by rising ``at``.

    axis: ``rows`` (records of the problem; for a stage of interactions, its pairs), ``threads``, or a parameter's
        name as ``trees``, ``depth``, ``factors``, ``batch_records``.
    threads, parameters: what is the same at every point; without the axis itself, for which threads is None.
    commands: what repeats the runs, each once.
    """

    stage: str
    variant: str
    device: str
    dataset: str
    axis: str
    threads: int | None
    parameters: dict[str, Scalar]
    host: dict[str, Any]
    versions: dict[str, str]
    points: tuple[Point, ...]
    commands: tuple[str, ...]


def rows_of(row: Row) -> int:
    """The size of a row's problem on the axis of rows: its records, or the pairs that it learns from."""
    return row.sizes.get(_PAIRS, row.sizes.get("records", 0))


def curves(rows: Sequence[Row], least_points: int = 2) -> list[Curve]:
    """The curves that rows of any number of runs have, one for each axis along which there are values to compare.

    Only right answers that were measured to their end count. Several runs of a case are one point, also those of
    different commits: leave out the rows of code that is no more.

    Args:
        rows: of one run or of many, in any order.
        least_points: 1 to have a curve of rows also of what was measured at one size only.

    """
    usable = [row for row in rows if row.status is Status.OK and not row.interrupted and row.seconds]
    found: list[Curve] = []
    for axis in _axes(usable):
        groups: dict[str, list[Row]] = {}
        for row in usable:
            if value_on(row, axis) is not None:
                groups.setdefault(_all_else(row, axis), []).append(row)
        least = least_points if axis == ROWS else 2
        for members in groups.values():
            curve = _curve(members, axis)
            if len(curve.points) >= least:
                found.append(curve)
    return found


def value_on(row: Row, axis: str) -> float | None:
    """A row's value on an axis; None where it has none."""
    if axis == ROWS:
        return float(rows_of(row)) or None
    value = row.threads if axis == THREADS else row.parameters.get(axis)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _axes(rows: Sequence[Row]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name in row.parameters)
    return [ROWS, THREADS, *(name for name in names if name not in _NO_AXIS)]


def _all_else(row: Row, axis: str) -> str:
    """What rows of a curve have in common, as text."""
    same = {
        "case": [row.stage, row.variant, row.device, row.dataset, row.device_memory],
        "host": row.host,
        "versions": _versions(row),
        "scale": None if axis == ROWS else row.scale,
        "threads": None if axis == THREADS else row.threads,
        "parameters": {name: value for name, value in row.parameters.items() if name != axis},
    }
    return json.dumps(same, sort_keys=True)


def _versions(row: Row) -> dict[str, str]:
    """The versions, with the minor one of Python: compiled code and speed are the same within it."""
    return {**row.versions, "python": row.python}


def _curve(members: Sequence[Row], axis: str) -> Curve:
    by_value: dict[float, list[Row]] = {}
    for row in members:
        value = value_on(row, axis)
        assert value is not None
        by_value.setdefault(value, []).append(row)
    first = members[0]
    return Curve(
        stage=first.stage,
        variant=first.variant,
        device=first.device,
        dataset=first.dataset,
        axis=axis,
        threads=None if axis == THREADS else first.threads,
        parameters={name: value for name, value in first.parameters.items() if name != axis},
        host=first.host,
        versions=_versions(first),
        points=tuple(_point(value, by_value[value]) for value in sorted(by_value)),
        commands=tuple(dict.fromkeys(row.command for row in members)),
    )


def _point(value: float, rows: Sequence[Row]) -> Point:
    """Several runs at one value as one point."""
    return Point(
        at=value,
        seconds=tuple(seconds for row in rows for seconds in row.seconds or ()),
        sizes=rows[-1].sizes,
        phases=_phases(rows),
        setup_seconds=_median([row.setup_seconds for row in rows]),
        fetch_seconds=_median([row.fetch_seconds for row in rows]),
        peak_bytes=_largest([row.peak_bytes for row in rows]),
        resident_bytes=_largest([row.resident_bytes for row in rows]),
        gpu_peak_bytes=_largest([row.device_peak_bytes for row in rows]),
        transferred_bytes=rows[-1].transferred_bytes or {},
        watts=_watts(rows),
        started=max(row.started for row in rows),
    )


def _watts(rows: Sequence[Row]) -> dict[str, float]:
    watched = [row.monitored for row in rows if row.monitored is not None]
    found = {
        "cpu": _median([each.cpu_mean_watts for each in watched]),
        "gpu": _median([each.gpu_mean_watts for each in watched]),
    }
    return {device: watts for device, watts in found.items() if watts is not None}


def _phases(rows: Sequence[Row]) -> dict[str, float]:
    """Of the phases that all rows have, the median of their medians; none where rows differ in their phases."""
    each = [row.phases or {} for row in rows]
    if any(set(phases) != set(each[0]) for phases in each):
        return {}
    return {name: statistics.median(phases[name] for phases in each) for name in each[0]}


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _largest(values: Sequence[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
