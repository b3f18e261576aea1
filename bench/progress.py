"""Progress on standard error: a live line on a terminal, plain lines elsewhere; standard output stays clean."""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich import progress as bars
from rich.console import Console

from ..pipeline.row import Row
from .table import duration, time_of


class Progress:
    """What is being done, which rows are there, and how long the rest may take."""

    def __init__(self, cases: int) -> None:
        """Begin a run of so many cases."""
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.cases, self.done, self.start = cases, 0, time.monotonic()
        self.status = self.console.status("starting")
        if self.console.is_terminal:
            self.status.start()

    def say(self, what: str) -> None:
        """Tell what is being done now; on a terminal only, where it does not fill a log."""
        if self.console.is_terminal:
            self.status.update(f"{self._place()} {what}")

    def tell(self, what: str) -> None:
        """Tell what takes long and comes once, wherever the output goes."""
        self.console.print(what, markup=False)

    def row(self, case: str, row: Row) -> None:
        """Tell that a case is over, by its name and row."""
        reason = f": {row.reason}" if row.reason else ""
        self.over(f"{case}  {time_of(row)}  {row.status.value}{reason}")

    def over(self, what: str) -> None:
        """Tell that one more is over."""
        self.done += 1
        self.console.print(f"{self._place()} {what}", markup=False)

    def close(self) -> None:
        """End the live line."""
        self.status.stop()

    def _place(self) -> str:
        left = ""
        if 0 < self.done < self.cases:
            each = (time.monotonic() - self.start) / self.done
            left = f", about {duration(each * (self.cases - self.done))} left"
        return f"[{self.done}/{self.cases}{left}]"


@contextlib.contextmanager
def records_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of records done, shown on a terminal only and only if there is something to wait for."""
    console = Console(stderr=True)
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task: bars.TaskID | None = None

        def done(records: int, total: int) -> None:
            nonlocal task
            if task is None:
                task = bar.add_task(what, total=total)
            bar.update(task, completed=records, total=total or None)

        yield done


def working(what: str) -> contextlib.AbstractContextManager[object]:
    """A line that tells what is being done as long as it is; on a terminal only."""
    console = Console(stderr=True)
    return console.status(what) if console.is_terminal else contextlib.nullcontext()
