"""A folder of results as airspeed velocity keeps it (``asv compare``, ``asv publish``), from rows.

Its form is version 2, of asv 0.6 (`asv.results.Results`). Each case is a benchmark without parameters, whose version is
the digest of its problem, so that asv compares equal problems alone.
"""

import json
import math
import statistics
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ..pipeline.errors import InputError
from ..pipeline.row import Row, Status
from .pytest_benchmark_json import timing_statistics
from .row_names import case_name

_FAILED = {Status.FAILED, Status.MISMATCH, Status.FELL_BACK}
"""Null to asv. What else is not ``ok`` was skipped: NaN."""
_COLUMNS = [
    "result",
    "params",
    "version",
    "started_at",
    "duration",
    "stats_ci_99_a",
    "stats_ci_99_b",
    "stats_q_25",
    "stats_q_75",
    "stats_number",
    "stats_repeat",
    "samples",
    "profile",
]
_RESULTS_VERSION, _BENCHMARKS_VERSION, _MACHINE_VERSION = 2, 2, 1


def write(rows: Sequence[Row], folder: Path, machine: str) -> None:
    """Add the rows of a run to a folder of results; what is there of the same commit, machine and cases is replaced.

    Raises:
        InputError: the rows are of no commit or of several, or what is there was not written by asv.

    """
    commits = {row.commit for row in rows}
    if len(commits) > 1 or None in commits:
        raise InputError("asv keeps results by commit: measure in a checkout, and export runs of one commit each")
    described = _read(folder / "benchmarks.json") | {case_name(row, rows): _benchmark(row, rows) for row in rows}
    _write(folder / "benchmarks.json", described, _BENCHMARKS_VERSION)
    about = _machine(rows[0], machine)
    _write(folder / machine / "machine.json", about, _MACHINE_VERSION)
    for threads in {row.threads for row in rows}:
        result = _result([row for row in rows if row.threads == threads], rows, about)
        path = folder / machine / f"{result['commit_hash'][:8]}-{result['env_name']}.json"
        before = _read(path).get("results", {})
        _write(path, {**result, "results": before | result["results"]}, _RESULTS_VERSION)


def _machine(row: Row, name: str) -> dict[str, str]:
    """The host's fingerprint in asv's words."""
    return {
        "machine": name,
        "os": str(row.host.get("system", "")),
        "arch": str(row.host.get("architecture", "")),
        "cpu": str(row.host.get("cpu", "")),
        "num_cpu": str(row.host.get("cores", "")),
        "ram": f"{row.host.get('memory_gib', '')} GiB",
    }


def _benchmark(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "name": case_name(row, rows),
        "code": row.command,
        "type": "time",
        "unit": "seconds",
        "version": row.problem_digest,
        "params": [],
        "param_names": [],
        "timeout": 0,
    }


def _result(members: Sequence[Row], rows: Sequence[Row], machine: dict[str, str]) -> dict[str, Any]:
    python = ".".join(members[0].versions.get("python", "").split(".")[:2])
    return {
        "commit_hash": members[0].commit,
        "env_name": f"py{python}-threads{members[0].threads}",
        "date": _milliseconds(members[0]),
        "params": {**machine, "python": python, "threads": str(members[0].threads)},
        "python": python,
        "requirements": {},
        "env_vars": {},
        "result_columns": _COLUMNS,
        "results": {case_name(row, rows): _values(row) for row in members},
        "durations": {},
    }


def _values(row: Row) -> list[Any]:
    """By `_COLUMNS`; what is not known at the end is left out, as asv does."""
    start = [[], row.problem_digest, _milliseconds(row)]
    if row.status is not Status.OK or not row.seconds:
        return [[None if row.status in _FAILED else math.nan], *start]
    known = timing_statistics(row.seconds)
    quartiles = [[known["q1"]], [known["q3"]]]
    interval = [[-math.inf], [math.inf]]  # not computed: says nothing, as asv has it of few samples
    counts = [[1], [len(row.seconds)]]
    return [[statistics.median(row.seconds)], *start, None, *interval, *quartiles, *counts, [row.seconds]]


def _milliseconds(row: Row) -> int:
    """When it was measured, since 1970; asv takes the time of a commit from the repository."""
    return int(datetime.fromisoformat(row.started).timestamp() * 1000)


def _read(path: Path) -> dict[str, Any]:
    """What is in a file of asv's, without its version; nothing where there is none."""
    try:
        found = json.loads(path.read_bytes())
        return {name: value for name, value in found.items() if name != "version"}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path}: was not written by asv ({error}); name another folder") from error


def _write(path: Path, content: dict[str, Any], version: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**content, "version": version}, indent=1), encoding="utf-8")
