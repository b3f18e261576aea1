"""What a capacity plan is asked: how many rows, by when, with how much to spare."""

import math
from dataclasses import dataclass

from ...pipeline.errors import InputError

MOST_MONTHS = 120
_FASTEST_GROWTH = 10.0


@dataclass(frozen=True)
class Question:
    """What must be done, time after time.

    rows: of one piece of work. deadline_seconds: from its start to its end. headroom: share of the deadline that is
        kept free. spares: machines beside those that the work needs, so that as many may fail.
    growth: of the rows, a month, as a share; None does not ask. horizon: months looked ahead.

    Raises:
        InputError: a value that nothing could be planned for.

    """

    stage: str
    rows: int
    deadline_seconds: float
    headroom: float = 0.0
    spares: int = 0
    growth: float | None = None
    horizon: int = 24

    def __post_init__(self) -> None:
        """Refuse what cannot be planned for."""
        if self.rows < 1:
            raise InputError(f"--rows {self.rows}: must be 1 or more")
        if not (math.isfinite(self.deadline_seconds) and self.deadline_seconds > 0):
            raise InputError("--deadline: must be above 0")
        if not 0 <= self.headroom < 1:
            raise InputError(f"--headroom {100 * self.headroom:g}%: must be 0% or more and below 100%; it is kept free")
        if self.spares < 0:
            raise InputError(f"--availability {self.spares}: must be 0 or more; it is the number of spare machines")
        if self.growth is not None and not 0 <= self.growth <= _FASTEST_GROWTH:
            raise InputError(f"--growth {100 * self.growth:g}%/month: must be within 0 and {_FASTEST_GROWTH:.0%}")
        if not 1 <= self.horizon <= MOST_MONTHS:
            raise InputError(f"--horizon {self.horizon}: must be within 1 and {MOST_MONTHS} months")

    @property
    def usable_seconds(self) -> float:
        """The deadline without the headroom."""
        return self.deadline_seconds * (1 - self.headroom)

    def rows_after(self, months: int) -> int:
        """Rows of the same work some months from now, by the growth asked about."""
        return math.ceil(self.rows * (1 + (self.growth or 0.0)) ** months)


def machines_needed(
    rows: int, batch_rows: int, batch_seconds: float, setup_seconds: float, usable_seconds: float
) -> int | None:
    """Machines that work through whole batches, each set up once; None where not one batch is done in time."""
    batches_of_one = math.floor((usable_seconds - setup_seconds) / batch_seconds)
    if batches_of_one < 1:
        return None
    batches = -(-rows // batch_rows)
    return -(-batches // batches_of_one)
