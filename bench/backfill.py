"""Measures commits of the past, each with its own code and by its own ``technobench run``, for the history.

The command line is what has changed least from revision to revision; a row of an older one is read as rows of an older
file are.
"""

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..pipeline.errors import InputError
from ..pipeline.row import Row, Status, decode
from .cases import matches
from .launches import Arm
from .measure import private_folder

_MAIN = "from technobench.bench.cli import main; main()"
_A_CASE_FAILED = 1
_SHOWN_OF_ERROR = 500
_SECONDS_TO_END = 20


@dataclass(frozen=True)
class Selection:
    """What to measure of each commit. stages: by name; of each the anchor is measured, too.

    expression: of cases, as that of ``technobench run``. rounds: at most. budget: seconds of each case.
    """

    expression: str | None
    stages: tuple[str, ...]
    datasets: tuple[str, ...]
    anchor: str
    rounds: int
    budget: float


def measured(arm: Arm, selection: Selection, run_id: str, command: str) -> list[Row]:
    """The rows of a commit, as rows of this run; none where its code has nothing of the selection.

    Raises:
        InputError: it does not run, or does not end well.

    """
    with private_folder() as folder:
        stages = _stages(arm, selection, folder)
        if not stages:
            return []
        arguments = ["--rounds", str(selection.rounds), "--budget", f"{selection.budget:.15g}"]
        arguments += [word for stage in stages for word in ("--stage", stage)]
        arguments += [word for dataset in selection.datasets for word in ("--dataset", dataset)]
        if selection.expression is not None:
            arguments += ["-k", f"({selection.expression}) or /{selection.anchor}"]
        ended = _technobench(arm, ["run", *arguments, "--json", "-", "--results", "rows"], folder)
        known = {"commit": arm.revision, "dirty": False, "run_id": run_id, "command": command}
        try:
            rows = [msgspec.structs.replace(decode(line), **known) for line in ended.printed.splitlines()]
        except msgspec.DecodeError as error:
            raise InputError(f"its rows are not as they are today ({error})") from error
        failed = any(row.status in {Status.FAILED, Status.MISMATCH} for row in rows)
        if not rows or ended.code not in ({0, _A_CASE_FAILED} if failed else {0}):
            raise InputError(f"technobench run: {ended.told}")
        return rows


def _stages(arm: Arm, selection: Selection, folder: Path) -> list[str]:
    """Stages of which the commit has a variant that is selected, besides the anchor."""
    ended = _technobench(arm, ["list", "--json"], folder)
    if ended.code != 0:
        raise InputError(f"technobench list: {ended.told}")
    listed = json.loads(ended.printed)
    names = [(each["stage"], each["variant"]) for each in listed if each["variant"] != selection.anchor]
    chosen = {
        stage
        for stage, variant in names
        for dataset in selection.datasets
        if selection.expression is None or matches(selection.expression, f"{stage}/{variant} {dataset}@1")
    }
    return [stage for stage in selection.stages if stage in chosen]


class _Ended(NamedTuple):
    """How a process ended: its exit code, what it printed, and the end of what it said beside that."""

    code: int
    printed: bytes
    told: str


def _technobench(arm: Arm, arguments: Sequence[str], folder: Path) -> _Ended:
    """Run the ``technobench`` of a revision."""
    log = folder / "errors.log"
    path = {} if arm.path is None else {"PYTHONPATH": str(arm.path)}
    # Names hash alike in all revisions, as in a gate; an interrupt at the keyboard is this process's to handle.
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [arm.python, "-c", _MAIN, *arguments],
            cwd=folder,
            env={**os.environ, **path, "PYTHONHASHSEED": "0"},
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        printed, _ = process.communicate()
    except BaseException:
        _end(process)
        raise
    told = log.read_text(errors="replace").strip()[-_SHOWN_OF_ERROR:]
    return _Ended(process.returncode, printed, told or f"exit status {process.returncode}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, which ends its workers too; make it where it does not."""
    process.terminate()
    try:
        process.communicate(timeout=_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
