"""One row of a tuning: one set of parameters, tried on one fold."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ..pipeline.contract import Scalar

FoldKey = tuple[str, int]


class FoldRow(msgspec.Struct, frozen=True, kw_only=True):
    """How good the answer was on a fold and what it cost. Times are seconds, sizes bytes; None means not measured.

    fold, folds: number, from 0, and how many there are.
    failure: why there is no quality, or None.
    quality: `Stage.quality` of the answer, which was not compared with a reference.
    seconds, cpu_seconds: wall and CPU time of one run. setup_seconds: `Prepared` made ready.
    peak_bytes: peak resident set during the run.
    problem_digest: key of the dataset and all parameters (`Workload.problem_digest`).
    """

    stage: str
    variant: str
    dataset: str
    scale: float
    parameters: dict[str, Scalar]
    fold: int
    folds: int
    failure: str | None
    quality: dict[str, float] | None
    seconds: float | None
    cpu_seconds: float | None
    setup_seconds: float | None
    peak_bytes: int | None
    threads: int
    problem_digest: str
    versions: dict[str, str]
    thread_settings: dict[str, str]
    host: dict[str, Any]
    commit: str | None
    dirty: bool | None
    run_id: str
    started: str
    command: str

    @property
    def key(self) -> FoldKey:
        """What tells this row from the others of its tuning."""
        return fold_key(self.parameters, self.fold)


def fold_key(parameters: Mapping[str, Scalar], fold: int) -> FoldKey:
    """What tells one row of a tuning from another."""
    return ",".join(f"{name}={value!r}" for name, value in sorted(parameters.items())), fold
