"""What of a report's rows can be compared with each other, and how it is called."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...pipeline.row import Row, Status
from ..table import by_stage, grouped, stage_of
from .hosts import host_text, short_name


@dataclass(frozen=True)
class Problem:
    """Rows of one stage on one input, with the same threads on one class of host; slowest first.

    stage: with the parameters that tell it from other problems. dataset: with what belongs to it, in words.
    machine: what tells the host from others of the report; empty where there are none.
    """

    stage: str
    dataset: str
    machine: str
    rows: tuple[Row, ...]

    @property
    def data(self) -> str:
        """The dataset, and the machine where there are several."""
        return ", ".join(each for each in (self.dataset, self.machine) if each)

    def variant(self, name: str) -> Row | None:
        """The row of a variant."""
        return next((row for row in self.rows if row.variant == name), None)

    def right(self) -> list[Row]:
        """Rows of right answers that were measured; fastest first."""
        return [row for row in self.rows[::-1] if row.status is Status.OK and row.seconds]


def problems(rows: Sequence[Row]) -> Iterator[Problem]:
    """All problems, in order of appearance: by host, then dataset and threads, then stage."""
    for machine, members in by_machine(rows):
        for title, group in grouped(members):
            for comparable in by_stage(group):
                yield Problem(stage_of(comparable[0], group), title, machine, tuple(comparable))


def by_machine(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Rows of each class of host, with each bound of device memory, and what tells these from the others."""
    machines: dict[str, list[Row]] = {}
    for row in rows:
        machines.setdefault(_surroundings(row), []).append(row)
    hosts = [members[0].host for members in machines.values()]
    for members in machines.values():
        apart = short_name(members[0].host, hosts)
        yield ", ".join(filter(None, [apart, *_bound(members[0])])), members


def pooled(rows: Sequence[Row]) -> list[Row]:
    """The newest row of each case on each class of host, with each bound of device memory, in their order.

    What could not run, or was not over, does not hide what was measured before.
    """
    newest: dict[tuple, Row] = {}
    for row in sorted(rows, key=lambda row: (_measured(row), row.started)):
        newest[row.key, _surroundings(row)] = row
    kept = {id(row) for row in newest.values()}
    return [row for row in rows if id(row) in kept]


def _measured(row: Row) -> bool:
    return not row.interrupted and row.status is not Status.UNAVAILABLE


def host_name(row: Row) -> str:
    """The class of the machine in words, and the device memory that the run was held to."""
    return ", ".join([host_text(row.host), *_bound(row)])


def _bound(row: Row) -> list[str]:
    return [] if row.device_memory is None else [f"{row.device_memory / 2**30:.3g} GiB of device memory"]


def impossible(row: Row) -> str | None:
    """What in a row no measurement can have given; None for a sound row."""
    times = [*(row.seconds or []), *_estimate(row)]
    if row.seconds == [] or not all(0 < each < math.inf for each in times):
        return "run times must be above 0"
    apart = [row.setup_seconds, row.fetch_seconds, row.warmup_seconds, *(row.phases or {}).values()]
    counts = [row.peak_bytes, row.resident_bytes, row.error, row.tolerance, row.scale, *row.sizes.values()]
    if not all(0 <= each < math.inf for each in (*apart, *counts) if each is not None):
        return "times, sizes and errors must be 0 or above"
    return None


def _estimate(row: Row) -> list[float]:
    fitted = row.extrapolation
    return [] if fitted is None else [fitted.seconds, fitted.low, fitted.high]


def _surroundings(row: Row) -> str:
    return json.dumps([row.host, row.device_memory], sort_keys=True)
