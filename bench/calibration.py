"""What a machine can see, by comparing code with itself: kept for the gate to read."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..pipeline.home import home, new_file
from .gate.judgement import CaseVerdict, Decision


class CaseCalibration(msgspec.Struct, frozen=True):
    """Of one case. comparisons: of code with itself.

    alarms: how many times the gate told a regression with its limits; differences: how many times any slow-down at all.
    noise: median over comparisons of half the distance between the bounds, as a share.
    visible: the slow-down that nine of ten comparisons would have told from none, as a share; None where none could.
    """

    comparisons: int
    alarms: int
    differences: int
    noise: float | None
    visible: float | None


class Calibration(msgspec.Struct, frozen=True):
    """Of one class of machine: cases by name."""

    host: dict[str, Any]
    made: str
    command: str
    cases: dict[str, CaseCalibration]


def _path(host: Mapping[str, Any]) -> Path:
    name = "-".join(str(host[part]) for part in ("cpu", "cores", "memory_gib"))
    return home() / "calibrations" / f"{''.join(each if each.isalnum() else '-' for each in name)}.json"


def keep(found: Calibration) -> Path:
    """Keep a calibration in place of an earlier one of the same class of machine, whose other cases stay."""
    before = read(found.host)
    cases = {**(before.cases if before else {}), **found.cases}
    path = _path(found.host)
    with new_file(path) as written:
        written.write_bytes(msgspec.json.encode(msgspec.structs.replace(found, cases=cases)))
    return path


def read(host: Mapping[str, Any]) -> Calibration | None:
    """What is kept of this class of machine; None where nothing is, or no longer can be read."""
    try:
        return msgspec.json.decode(_path(host).read_bytes(), type=Calibration)
    except (OSError, msgspec.DecodeError):
        return None


def told(verdicts: Sequence[CaseVerdict], host: Mapping[str, Any]) -> Iterator[str]:
    """What a calibration says of a gate's cases: where it cannot see what it is to find."""
    found = read(host)
    measured = [verdict for verdict in verdicts if verdict.decision is not Decision.NOT_MEASURED]
    if found is None:
        if measured:
            yield "this machine is not calibrated: 'technobench aa' tells what it can see"
        return
    for verdict in measured:
        case = found.cases.get(verdict.name)
        if case is None or case.visible is None or not verdict.measures:
            continue
        limit = verdict.measures[0].limit
        if case.visible > limit:
            yield (
                f"{verdict.name}: by {case.comparisons} comparisons with itself this machine sees slow-downs from "
                f"{100 * case.visible:.2g} % on, and the limit is {100 * limit:.3g} %: raise it, or --max-pairs"
            )
