"""What the models of a plan are fitted to: the right answers' rows of one variant along one axis, all else equal."""

from dataclasses import dataclass
from typing import Any

from ...pipeline.contract import Scalar


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """One row of a curve. Times are seconds, sizes bytes; None is not measured.

    at: the value on the curve's axis. seconds: of each timed round. sizes: the problem's (`Row.sizes`).
    phases: median seconds of each phase; empty for a run without phases.
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
