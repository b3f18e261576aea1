"""From rows to a report: all sections, in the order that a reader asks for them."""

from collections.abc import Sequence

from ...pipeline.row import Row
from ..history import History
from . import answers, environment, matrix, past, pictured, seed_table
from .cells import listed
from .document import Report, Section
from .hosts import host_text


def report(rows: Sequence[Row], unreadable: Sequence[str], history: History, plan: Section) -> Report:
    """The report of some rows.

    Args:
        rows: one per case, at least one, each sound (`problems.impossible`).
        unreadable: a sentence for each line of the runs' files that was passed over.
        history: of as many runs as there are.
        plan: the section of the capacity plan.

    """
    rows = sorted(rows, key=lambda row: row.scale)  # a sweep measures its points in random order
    sections = (
        answers.section(rows, unreadable),
        matrix.section(rows),
        seed_table.section(rows),
        pictured.phases_section(rows),
        pictured.scaling_section(rows),
        pictured.accuracy_section(rows),
        pictured.memory_section(rows),
        past.section(history),
        plan,
        environment.section(rows),
    )
    return Report("technobench: what is fastest, and is it right?", _subtitle(rows), sections)


def _subtitle(rows: Sequence[Row]) -> str:
    data = listed([f"{row.dataset} at scale {row.scale:g}" for row in rows])
    machines = "; ".join(dict.fromkeys(host_text(row.host) for row in rows))
    day = max(row.started for row in rows)[:10]
    return f"{data}. Measured until {day}, on {machines}. Run {listed([row.run_id for row in rows])}."
