"""Files of results: one append-only JSON-lines file per run or tuning; the only module that touches them."""

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import filelock
import msgspec

from ..pipeline.errors import InputError
from ..pipeline.home import new_file
from ..pipeline.row import Row, decode, encode
from .fold_row import FoldRow
from .launch_row import LaunchRow

_RowT = TypeVar("_RowT", Row, FoldRow, LaunchRow)


def results_folder(given: Path | None = None) -> Path:
    """Where runs are kept: as given, else ``$TECHNOBENCH_RESULTS``, else ``results`` in the current folder."""
    return given or Path(os.environ.get("TECHNOBENCH_RESULTS", "results"))


BEGINNINGS = {"run": "", "tune": "tune-", "gate": "gate-", "aa": "aa-", "compare": "compare-"}
"""What the names of a command's files begin with."""


def new_run_id(command: str = "run") -> str:
    """A name for a run of a command that sorts by time and that no other run has."""
    return f"{BEGINNINGS[command]}{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


class _AppendOnly:
    """A file of JSON lines, open for appending by this process alone.

    A row is one write of one line, forced to disk: a kill at any moment leaves whole lines and at most one torn end,
    which readers pass over and the next writer removes.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        """Open ``folder/run_id.jsonl``, made if absent.

        Raises:
            InputError: another process is writing this run, or the folder cannot be written.

        """
        self.run_id = run_id
        self.path = folder / f"{run_id}.jsonl"
        self._lock = filelock.FileLock(folder / f".{run_id}.lock")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        except filelock.Timeout:
            raise InputError(
                f"{self.path}: another process is writing this run; wait for it, or start a new run"
            ) from None
        except OSError as error:
            raise InputError(
                f"{folder}: results cannot be written there ({error.strerror}); name another by --results"
            ) from error
        _remove_torn_end(self._descriptor)

    def _append(self, line: bytes) -> None:
        os.write(self._descriptor, line + b"\n")
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Let others write; a run without rows leaves no file."""
        if os.fstat(self._descriptor).st_size == 0:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)


class LineFile(_AppendOnly):
    """A file of rows that are over once they are there: a tuning's folds, or a gate's launches."""

    def append(self, row: FoldRow | LaunchRow) -> None:
        """Add a row, whole, on disk when this returns."""
        self._append(msgspec.json.encode(row))


class RunFile(_AppendOnly):
    """A run's file.

    Cases that are still being compared lie in a file beside it (`keep`), replaced whole after every round; `read` joins
    the two, and the next to open or close makes them one.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        """As `_AppendOnly`; what lies beside the file is put into it."""
        super().__init__(folder, run_id)
        self._settle()

    def append(self, row: Row) -> None:
        """Add a row, whole, on disk when this returns."""
        self._append(encode(row))

    def keep(self, rows: Sequence[Row]) -> None:
        """Remember the rows so far of cases that are not over, in place of those remembered before."""
        with new_file(_in_flight(self.path)) as written:
            written.write_bytes(b"".join(encode(row) + b"\n" for row in rows))

    def _settle(self) -> None:
        """Append what is remembered of cases that were interrupted, and forget it."""
        finished = {row.key for row in _rows_and_problems(self.path, decode)[0] if not row.interrupted}
        for row in _rows_and_problems(_in_flight(self.path), decode)[0]:
            if row.key not in finished:
                self.append(row)
        _in_flight(self.path).unlink(missing_ok=True)

    def close(self) -> None:
        """Let others write; a run without rows leaves no file."""
        self._settle()
        super().close()


def add(folder: Path, run_id: str, rows: Sequence[Row]) -> None:
    """Write a run that is over: all of its rows, or none where this is interrupted.

    Raises:
        InputError: the folder cannot be written.

    """
    try:
        with new_file(folder / f"{run_id}.jsonl") as written:
            written.write_bytes(b"".join(encode(row) + b"\n" for row in rows))
    except OSError as error:
        raise InputError(
            f"{folder}: results cannot be written there ({error.strerror}); name another by --results"
        ) from error


def all_rows(folder: Path) -> tuple[list[Row], list[str]]:
    """The rows of every run of a folder, and a sentence for each line that is no row.

    Raises:
        InputError: a file cannot be read.

    """
    found = [read(path) for path in runs(folder)]
    return [row for rows, _ in found for row in rows], [problem for _, problems in found for problem in problems]


def _remove_torn_end(descriptor: int) -> None:
    size = os.fstat(descriptor).st_size
    whole = os.pread(descriptor, size, 0).rfind(b"\n") + 1
    if whole < size:  # the newest run is told by the time of its last change
        os.ftruncate(descriptor, whole)


def _in_flight(path: Path) -> Path:
    """Where the rows so far of the cases of a run that are not over lie."""
    return path.with_name(f".{path.stem}.in-flight")


def read(path: Path) -> tuple[list[Row], list[str]]:
    """The rows of a run, one per case and the newest of each, and a sentence for each line that is no row.

    Raises:
        InputError: the file cannot be read.

    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of results; 'technobench show --runs' lists them")
    rows, problems = _rows_and_problems(path, decode)
    by_case = {row.key: row for row in rows}
    for row in _rows_and_problems(_in_flight(path), decode)[0]:
        if row.key not in by_case or by_case[row.key].interrupted:
            by_case[row.key] = row
    return list(by_case.values()), problems


def read_tuning(path: Path) -> list[FoldRow]:
    """The rows of a tuning; a line that is none, as a kill leaves it, is passed over.

    Raises:
        InputError: the file cannot be read.

    """
    return _rows_and_problems(path, msgspec.json.Decoder(FoldRow).decode)[0]


def read_launches(path: Path) -> list[LaunchRow]:
    """The rows of a gate; a line that is none, as a kill leaves it, is passed over.

    Raises:
        InputError: the file cannot be read.

    """
    return _rows_and_problems(path, msgspec.json.Decoder(LaunchRow).decode)[0]


def _rows_and_problems(path: Path, decoded: Callable[[bytes], _RowT]) -> tuple[list[_RowT], list[str]]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    rows: list[_RowT] = []
    problems: list[str] = []
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(decoded(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            torn = number == len(lines)
            problems.append(f"{path}:{number}: " + ("torn by a kill, passed over" if torn else f"not a row ({error})"))
    return rows, problems


def runs(folder: Path, command: str = "run") -> Iterator[Path]:
    """Files of a command's runs that hold something, newest first by the time of their last row."""
    others = tuple(beginning for beginning in BEGINNINGS.values() if beginning)
    if folder.is_dir():
        named = [path for path in folder.glob("*.jsonl") if path.stem.startswith(BEGINNINGS[command])]
        of_command = [path for path in named if command != "run" or not path.stem.startswith(others)]
        found = [path for path in of_command if path.stat().st_size or _in_flight(path).is_file()]
        yield from sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def find(folder: Path, run: str | None, command: str = "run") -> Path:
    """The file of a run, or tuning, given by path, by id or by the beginning of its id; the newest without one.

    Raises:
        InputError: there is none, or the beginning fits several.

    """
    if run is not None and Path(run).is_file():
        return Path(run)
    found = [path for path in runs(folder, command) if run is None or path.stem.startswith(run)]
    if not found:
        wanted = "no runs yet" if run is None else f"no run '{run}'"
        raise InputError(f"{wanted} in {folder}/; 'technobench {command}' makes one, --results names another folder")
    if run is not None and len(found) > 1 and run not in {path.stem for path in found}:
        raise InputError(f"run '{run}' may be any of: {', '.join(path.stem for path in found)}")
    return next((path for path in found if path.stem == run), found[0])
