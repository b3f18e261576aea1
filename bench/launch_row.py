"""One line of a gate's results: a case measured in one launch of every arm, pair by pair."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ..pipeline.contract import Scalar
from ..pipeline.row import CaseKey, Status, case_key

BASE, HEAD, AGAIN = "base", "head", "again"
"""The arms: what is compared with, what is judged, and the base a second time."""


class ArmSample(msgspec.Struct, frozen=True, kw_only=True):
    """What one process of an arm did in a launch.

    revision: commit of the arm's code, or where it is installed.
    status: ``ok`` where the answers were right, and computed where they were to be; else ``reason`` says why not.
    seconds, cpu_seconds: wall time, and CPU time of all threads, of each pair's sample, in order.
    instructions: executed in user mode, of each sample; None where the platform does not count them.
    page_faults: without reading from a disk, of each sample.
    peak_bytes: peak resident set during the runs; None where the system does not tell.
    error: by the stage's measure. tolerance: the arm's own.
    """

    revision: str
    status: Status
    reason: str | None = None
    executed: str | None = None
    seconds: list[float] = []
    cpu_seconds: list[float] = []
    instructions: list[int] | None = None
    page_faults: list[int] | None = None
    peak_bytes: int | None = None
    setup_seconds: float | None = None
    error: float | None = None
    tolerance: float | None = None
    problem_digest: str | None = None
    versions: dict[str, str] = {}


class LaunchRow(msgspec.Struct, frozen=True, kw_only=True):
    """A case in one launch: each arm in a process of its own, one sample of each in every pair, in random order.

    launch: number, from 0. repeats: runs that a sample adds up.
    settings: the gate's, as text, by name. host: fingerprint of the machine. command: repeats the gate.
    varied: the parameters that tell this case from others of the gate.
    """

    gate_id: str
    stage: str
    variant: str
    device: str
    dataset: str
    scale: float
    threads: int
    parameters: dict[str, Scalar]
    launch: int
    repeats: int
    arms: dict[str, ArmSample]
    host: dict[str, Any]
    alerts: list[str]
    started: str
    command: str
    varied: list[str] = []

    @property
    def key(self) -> CaseKey:
        """What tells this case from the others of its gate."""
        return case_key(self.stage, self.variant, self.dataset, self.scale, self.threads, self.parameters)

    @property
    def case_name(self) -> str:
        """``stage/variant dataset@scale``, with varied parameters as ``name=value``: as `Group.case_name` has it."""
        varied = [f"{name}={self.parameters[name]}" for name in self.varied]
        return " ".join([f"{self.stage}/{self.variant} {self.dataset}@{self.scale:g}", *varied])


def by_case(rows: Iterable[LaunchRow]) -> dict[CaseKey, list[LaunchRow]]:
    """The launches of each case, in the order of its first one."""
    cases: dict[CaseKey, list[LaunchRow]] = {}
    for row in rows:
        cases.setdefault(row.key, []).append(row)
    return cases
