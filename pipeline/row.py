"""One row of results: what was asked, what ran, how long it took, and whether the answer was right."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from .contract import Scalar

CaseKey = tuple[str, str, str, float, int, str]


class Status(StrEnum):
    """How a case ended. Only `OK` enters speed-ups, gates and plans."""

    OK = "ok"
    MISMATCH = "mismatch"
    FELL_BACK = "fell-back"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"
    UNVERIFIED = "unverified"
    EXTRAPOLATED = "extrapolated"


MEANING: dict[Status, str] = {
    Status.OK: "ran where it said, and its answer was checked",
    Status.MISMATCH: "the answer differs from the reference by more than the tolerance",
    Status.FELL_BACK: "something else than what was asked did the work",
    Status.UNAVAILABLE: "this machine lacks what the variant needs, or the variant does no such problem; nothing ran",
    Status.FAILED: "error, time-out, crash or out of memory",
    Status.UNVERIFIED: "ran, but there is no reference at this size",
    Status.EXTRAPOLATED: "too slow for the budget: measured at smaller sizes and fitted",
}


class Extrapolation(msgspec.Struct, frozen=True):
    """A run time that was not measured.

    seconds, low, high: the estimate and its 95 % prediction interval.
    exponent, exponent_low, exponent_high: of the fitted power of the product of ``grows_with``, with 95 % interval.
    points: what was measured: size (that product), records, seconds.
    """

    seconds: float
    low: float
    high: float
    exponent: float
    exponent_low: float
    exponent_high: float
    grows_with: tuple[str, ...]
    points: tuple[tuple[float, int, float], ...]


class Monitored(msgspec.Struct, frozen=True):
    """What the monitor saw of the case's process and its children; of use and power of a device, all of it.

    gpu_peak_bytes: of the whole device, on which other variants that are measured in turn keep their data;
        gpu_own_peak_bytes: of the case's process and its children, None where the driver does not tell processes apart.
    *_mean_watts: while the case was at work, its set-up included; None where there is no meter.
    cost_share: the monitor's own CPU seconds per second of the case. gpu_*: None where NVML is absent.
    peak_with_children_bytes: None where the process had no children.
    """

    samples: int
    peak_rss_bytes: int
    mean_cpu_percent: float
    read_bytes: int
    written_bytes: int
    cost_share: float
    peak_with_children_bytes: int | None = None
    gpu_peak_bytes: int | None = None
    gpu_mean_use_percent: float | None = None
    gpu_mean_watts: float | None = None
    cpu_mean_watts: float | None = None
    gpu_own_peak_bytes: int | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one case. Times are seconds of wall time, sizes bytes; None means not measured, never 0.

    variant, executed: what was asked, and ``stage/variant@device`` of what did the work; ``executed`` is None where
        nothing ran.
    reason: why the status is not ``ok``.
    seconds: wall time of each timed round, in order; rounds of compared variants with the same index ran in turn.
    cpu_seconds: CPU time of all threads, round by round.
    warmup_seconds: the first run, which is apart from ``seconds`` unless the budget allowed one run only.
    setup_seconds, fetch_seconds: `Prepared` made ready; answer brought to the host.
    peak_bytes: peak resident set during the runs; ``resident_bytes``: resident set just before them.
    error: by the stage's measure, at most ``tolerance`` for a right answer; None where nothing was checked, and where
        it is infinite (a wrong shape, no number), which ``status`` and ``reason`` tell.
    quality: of the last answer, where it is right, on what the stage holds out (`Stage.quality`).
    sizes: the problem's sizes (`Stage.sizes`). phases: median seconds of each phase, for a run that has phases.
    transferred_bytes: copied in the last round, by direction (``to device``, ``to host``), where they are counted.
    alerts: what a reader should know before using the figures.
    threads: number of threads the case was given. device_memory: bytes of the device it was held to; None for what
        the device has free. problem_digest: key of the inputs.
    host: fingerprint of the machine. command: repeats the run.
    session: the process that measured; only rows of one session, that both had a warm-up, ran in turn.
    interrupted: the case was not over; a resumed run measures it again.
    """

    stage: str
    variant: str
    device: str
    status: Status
    reason: str | None
    executed: str | None
    seconds: list[float] | None
    cpu_seconds: list[float] | None
    warmup_seconds: float | None
    setup_seconds: float | None
    fetch_seconds: float | None
    peak_bytes: int | None
    resident_bytes: int | None
    error: float | None
    tolerance: float
    error_measure: str
    dataset: str
    scale: float
    sizes: dict[str, int]
    threads: int
    parameters: dict[str, Scalar]
    problem_digest: str
    phases: dict[str, float] | None
    extrapolation: Extrapolation | None
    monitored: Monitored | None
    alerts: list[str]
    versions: dict[str, str]
    thread_settings: dict[str, str]
    host: dict[str, Any]
    commit: str | None
    dirty: bool | None
    run_id: str
    session: str
    started: str
    command: str
    interrupted: bool = False
    quality: dict[str, float] | None = None
    transferred_bytes: dict[str, int] | None = None
    device_memory: int | None = None

    @property
    def key(self) -> CaseKey:
        """What tells this case from the others of its run."""
        return case_key(self.stage, self.variant, self.dataset, self.scale, self.threads, self.parameters)

    @property
    def python(self) -> str:
        """The Python's minor version; compiled code and speed are not the same in another."""
        return ".".join(self.versions.get("python", "unknown").split(".")[:2])

    @property
    def device_peak_bytes(self) -> int | None:
        """Peak memory on a CUDA device: the case's own, or, where that is not told apart, all that was in use."""
        if self.device == "cpu" or self.monitored is None:
            return None
        own = self.monitored.gpu_own_peak_bytes
        return self.monitored.gpu_peak_bytes if own is None else own

    def in_turn_with(self, other: "Row") -> bool:
        """Whether rounds of the same index ran in turn: in one session, both after a warm-up."""
        return self.session == other.session and None not in (self.warmup_seconds, other.warmup_seconds)


def case_key(
    stage: str, variant: str, dataset: str, scale: float, threads: int, parameters: Mapping[str, Scalar]
) -> CaseKey:
    """What tells one case of a run from another."""
    chosen = ",".join(f"{name}={value}" for name, value in sorted(parameters.items()))
    return stage, variant, dataset, scale, threads, chosen


def encode(row: Row) -> bytes:
    """One line of JSON, without the line's end; infinity and NaN, which JSON lacks, become null."""
    return msgspec.json.encode(row)


def decode(line: bytes) -> Row:
    """Inverse of `encode`.

    Raises:
        msgspec.ValidationError: the line is JSON, but no row. It is a ``msgspec.DecodeError``, as torn JSON is.

    """
    return msgspec.json.decode(line, type=Row)
