"""What one machine was measured to do, batch after batch: where curves and their models become figures of a plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...pipeline.contract import Scalar
from ...pipeline.row import Row
from ..statistics import Interval, median_interval
from .curves import ROWS, Curve, Point, curves
from .growth import Growth, growth
from .memory_growth import MemoryGrowth, memory_growth
from .models import NotFitted, Prediction

_RESOLUTION = 1e-9
"""Of the clock, in seconds: a shorter run was not measured."""


@dataclass(frozen=True)
class Batch:
    """A measured size: a machine works through its share in batches of it, so that nothing is extrapolated.

    seconds: of a run and of fetching its answer, with the 95 % interval of one batch; without bounds where neither a
        fit nor enough rounds give one. basis: what the interval is from. setup_seconds: once for each process.
    peak_bytes, gpu_peak_bytes: resident set, and memory of the device; with bounds where they are fitted.
    watts: mean power by device (``cpu``, ``gpu``), of the whole of it, where there was a meter.
    """

    rows: int
    seconds: Interval
    basis: str
    setup_seconds: float
    peak_bytes: Interval | None
    gpu_peak_bytes: Interval | None
    watts: dict[str, float]
    cautions: tuple[str, ...]

    @property
    def rate(self) -> Interval:
        """Rows per second of one machine."""
        low, high = self.seconds.low, self.seconds.high
        return Interval(
            self.rows / self.seconds.median,
            None if high is None else self.rows / high,
            None if low is None else self.rows / low,
        )


@dataclass(frozen=True)
class Throughput:
    """One variant on one class of host with one set of versions and threads; batches by rising size.

    measured: when the newest of its rows was, in ISO 8601. command: that made them.
    """

    variant: str
    device: str
    dataset: str
    parameters: dict[str, Scalar]
    host: dict[str, Any]
    versions: dict[str, str]
    threads: int | None
    batches: tuple[Batch, ...]
    measured: str
    command: str


def throughputs(rows: Sequence[Row], stage: str) -> list[Throughput]:
    """Those of a stage's right answers. Rows that are not ``ok`` are in no curve."""
    of_stage = [row for row in rows if row.stage == stage]
    return [found for curve in curves(of_stage, 1) if curve.axis == ROWS and (found := _throughput(curve))]


def _throughput(curve: Curve) -> Throughput | None:
    timed = [point for point in curve.points if point.seconds and min(point.seconds) >= _RESOLUTION and point.at >= 1]
    if not timed:
        return None
    time, memory, of_device = growth(curve), memory_growth(curve), memory_growth(curve, "gpu_peak_bytes")
    return Throughput(
        variant=curve.variant,
        device=curve.device,
        dataset=curve.dataset,
        parameters=curve.parameters,
        host=curve.host,
        versions=curve.versions,
        threads=curve.threads,
        batches=tuple(_batch(curve, point, time, memory, of_device) for point in timed),
        measured=max(point.started for point in curve.points),
        command=curve.commands[-1],
    )


def _batch(
    curve: Curve,
    point: Point,
    time: Growth | NotFitted,
    memory: MemoryGrowth | NotFitted,
    of_device: MemoryGrowth | NotFitted,
) -> Batch:
    cautions = []
    setup = point.setup_seconds or 0.0
    if isinstance(time, NotFitted):
        seconds = _plus(median_interval(point.seconds), _known(point.fetch_seconds or 0.0))
        basis = f"{len(point.seconds)} rounds of this size, which do not show how sessions differ"
        if seconds.high is None:
            basis = f"too few rounds of this size for an interval ({len(point.seconds)}), and no fit: {time.reason}"
    else:
        fetch = _known(point.fetch_seconds or 0.0) if isinstance(time.fetch, NotFitted) else time.fetch.at(point.at)
        seconds = _plus(_interval(time.at(point.at)), _interval(fetch))
        basis = f"a fit to {len(curve.points)} sizes"
        if not isinstance(time.setup, NotFitted):
            setup = time.setup.at(point.at).high
    if curve.device == "cuda" and not point.transferred_bytes:
        cautions.append("copies to the device were not counted: they are part of the set-up, which is paid once here")
    return Batch(
        rows=int(point.at),
        seconds=seconds,
        basis=basis,
        setup_seconds=setup,
        peak_bytes=_memory(memory, point.at, point.peak_bytes),
        gpu_peak_bytes=_memory(of_device, point.at, point.gpu_peak_bytes),
        watts=point.watts,
        cautions=tuple(cautions),
    )


def _memory(model: MemoryGrowth | NotFitted, size: float, measured: int | None) -> Interval | None:
    if not isinstance(model, NotFitted):
        return _interval(model.at(size))
    return None if measured is None else Interval(measured, None, None)


def _known(seconds: float) -> Interval:
    return Interval(seconds, seconds, seconds)


def _interval(found: Prediction | Interval) -> Interval:
    return found if isinstance(found, Interval) else Interval(found.value, found.low, found.high)


def _plus(run: Interval, fetch: Interval) -> Interval:
    low = None if run.low is None or fetch.low is None else run.low + fetch.low
    high = None if run.high is None or fetch.high is None else run.high + fetch.high
    return Interval(run.median + fetch.median, low, high)
