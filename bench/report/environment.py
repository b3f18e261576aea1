"""The section of the environment: machines, libraries, threads, commits, and the commands that repeat the figures."""

from collections.abc import Iterable, Sequence

from ...pipeline.row import Row
from ..history import SHORT
from .cells import listed
from .document import Cell, Column, Command, Section, Table, Tone
from .problems import host_name

NAME, TITLE = "environment", "Environment, and how to repeat it"


def section(rows: Sequence[Row]) -> Section:
    """A line for each run, its libraries and thread settings, and each command once."""
    runs: dict[str, list[Row]] = {}
    for row in rows:
        runs.setdefault(row.run_id, []).append(row)
    commands: dict[str, list[str]] = {}
    for run, members in runs.items():
        for row in members:
            commands.setdefault(row.command, []).append(run)
    repeat = [
        Command(f"Repeat {listed(of_runs)} ({_counted(len(of_runs))})", line) for line, of_runs in commands.items()
    ]
    return Section(NAME, TITLE, (_runs(runs), _settings(runs), *repeat))


def _counted(cases: int) -> str:
    return "1 case" if cases == 1 else f"{cases} cases"


def _runs(runs: dict[str, list[Row]]) -> Table:
    columns = (
        Column("run"),
        Column("started"),
        Column("cases", numeric=True),
        Column("machine"),
        Column("threads", numeric=True),
        Column("commit"),
    )
    lines = tuple(
        (
            Cell(run),
            Cell(min(row.started for row in rows)),
            Cell(str(len(rows)), len(rows)),
            Cell("; ".join(dict.fromkeys(map(host_name, rows)))),
            Cell(listed([str(row.threads) for row in rows])),
            _commits(rows),
        )
        for run, rows in runs.items()
    )
    return Table("runs", "The runs of this report", columns, lines)


def _commits(rows: Sequence[Row]) -> Cell:
    names = listed([(row.commit or "unknown")[:SHORT] + (", files changed since" if row.dirty else "") for row in rows])
    return Cell(names, tone=Tone.CAREFUL if any(row.dirty or row.commit is None for row in rows) else Tone.PLAIN)


def _settings(runs: dict[str, list[Row]]) -> Table:
    """A line for each library and setting, a column for the runs that have all of them alike."""
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for run, rows in runs.items():
        joined = _joined(row.versions | row.thread_settings for row in rows)
        alike.setdefault(tuple(joined.items()), []).append(run)
    columns = [dict(settings) for settings in alike]
    names = dict.fromkeys(name for settings in columns for name in settings)
    lines = tuple((Cell(name), *(Cell(settings.get(name, "-")) for settings in columns)) for name in names)
    headings = (Column("what"), *(Column(listed(of_runs)) for of_runs in alike.values()))
    return Table("versions", "Versions and thread settings", headings, lines)


def _joined(settings: Iterable[dict[str, str]]) -> dict[str, str]:
    """Each name with its value; with all of them where rows differ."""
    found: dict[str, list[str]] = {}
    for each in settings:
        for name, value in each.items():
            found.setdefault(name, []).append(value)
    return {name: listed(values) for name, values in sorted(found.items())}
