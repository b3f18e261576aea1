"""What one variant on one kind of machine would take: machines, money, and how long it lasts."""

from dataclasses import dataclass
from typing import Any

from ..statistics import Interval
from .prices import MachinePrice, Prices
from .question import Question, machines_needed
from .throughput import Batch, Throughput

HOURS_PER_MONTH = 730.5
"""A twelfth of 365.25 days."""
_MANY_BATCHES = 100
"""So many batches of one machine, one after another, are another thing than the single ones that were measured."""


@dataclass(frozen=True)
class Offer:
    """What one variant on one kind of machine would take. Money is in the plan's currency.

    machines: at work, by the lower bound of the rate; None where the rate has no bound or no batch is done in time.
    machines_by_median, machines_at_best: the same by the median and by the upper bound. Spares are beside them.
    per_million_rows: of the time at work, without set-up, headroom and spares. per_month: of the fleet with its
        spares, kept all month; its bounds are those of the number of machines.
    outgrown_after: the first month in which the machines do not meet the deadline even without headroom; None where
        that is beyond the horizon, or not asked. machines_at_horizon: needed then, with the headroom.
    """

    variant: str
    device: str
    dataset: str
    host: dict[str, Any]
    threads: int | None
    versions: dict[str, str]
    batch: Batch
    machines: int | None
    machines_by_median: int | None
    machines_at_best: int | None
    price: MachinePrice | None
    per_million_rows: Interval | None
    per_month: Interval | None
    outgrown_after: int | None
    machines_at_horizon: int | None
    cautions: tuple[str, ...]
    command: str

    @property
    def rate(self) -> Interval:
        """Rows per second of one machine."""
        return self.batch.rate


def offer_of(measured: Throughput, question: Question, prices: Prices | None) -> Offer:
    """What a measured throughput comes to, in batches of the size that needs the fewest machines.

    Raises:
        InputError: none of the prices fits the machine, or several do.

    """
    batch = min(measured.batches, key=lambda each: counts_order(_counts(each, question), each))
    machines, by_median, at_best = _counts(batch, question)
    price = prices.of(measured.host, measured.device) if prices else None
    outgrown, at_horizon = _growing(batch, machines, question)
    return Offer(
        variant=measured.variant,
        device=measured.device,
        dataset=measured.dataset,
        host=measured.host,
        threads=measured.threads,
        versions=measured.versions,
        batch=batch,
        machines=machines,
        machines_by_median=by_median,
        machines_at_best=at_best,
        price=price,
        per_million_rows=batch.seconds.scaled(price.per_hour / 3600 * 1e6 / batch.rows) if price else None,
        per_month=_per_month(machines, by_median, at_best, question.spares, price) if price else None,
        outgrown_after=outgrown,
        machines_at_horizon=at_horizon,
        cautions=_cautions(batch, measured, (machines, by_median), question),
        command=measured.command,
    )


def _counts(batch: Batch, question: Question) -> tuple[int | None, int | None, int | None]:
    """Machines by the lower bound of the rate, by its median, and by its upper bound."""

    def needed(seconds: float | None) -> int | None:
        return None if seconds is None else _needed(question.rows, batch, seconds, question.usable_seconds)

    return needed(batch.seconds.high), needed(batch.seconds.median), needed(batch.seconds.low)


def _needed(rows: int, batch: Batch, batch_seconds: float, usable_seconds: float) -> int | None:
    return machines_needed(rows, batch.rows, batch_seconds, batch.setup_seconds, usable_seconds)


def counts_order(counts: tuple[int | None, ...], batch: Batch) -> tuple[float, float, int]:
    """The fewest machines for sure, then by the median; of equals the larger batch, which is nearer to the work."""
    for_sure, by_median = (float("inf") if count is None else count for count in counts[:2])
    return for_sure, by_median, -batch.rows


def _growing(batch: Batch, machines: int | None, question: Question) -> tuple[int | None, int | None]:
    """The month in which the machines are outgrown, and those needed at the horizon."""
    if question.growth is None or machines is None or batch.seconds.high is None:
        return None, None
    outgrown = None
    for month in range(1, question.horizon + 1):
        needed = _needed(question.rows_after(month), batch, batch.seconds.high, question.deadline_seconds)
        if needed is None or needed > machines:
            outgrown = month
            break
    rows = question.rows_after(question.horizon)
    return outgrown, _needed(rows, batch, batch.seconds.high, question.usable_seconds)


def _per_month(
    machines: int | None, by_median: int | None, at_best: int | None, spares: int, price: MachinePrice
) -> Interval | None:
    if by_median is None:
        return None
    low, middle, high = (
        None if count is None else (count + spares) * price.per_hour * HOURS_PER_MONTH
        for count in (at_best, by_median, machines)
    )
    return Interval(middle or 0.0, low, high)


def _cautions(
    batch: Batch, measured: Throughput, counts: tuple[int | None, int | None], question: Question
) -> tuple[str, ...]:
    told = list(batch.cautions)
    machines = next((count for count in counts if count is not None), None)
    if counts[0] is None and (batch.seconds.high is not None or machines is None):
        may = "takes" if machines is None else "may take"
        told.append(f"set-up and one batch of {batch.rows:,} rows {may} longer than the deadline less the headroom")
    if machines is not None and -(-question.rows // batch.rows // machines) > _MANY_BATCHES:
        told.append(
            f"each machine would do more than {_MANY_BATCHES} batches of {batch.rows:,} rows one after another; "
            "measured were single ones"
        )
    peak, has = batch.peak_bytes, measured.host.get("memory_gib")
    if peak is not None and isinstance(has, int | float) and (peak.high or peak.median) > has * 2**30:
        told.append(
            f"peak memory may be {(peak.high or peak.median) / 2**30:.1f} GiB, of the {has:g} GiB of the machine"
        )
    return tuple(told)
