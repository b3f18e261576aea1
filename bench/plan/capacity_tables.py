"""The tables of a capacity plan: machines, costs and growth where they were asked for, break-even, what is missing."""

from collections.abc import Callable

from ..notes import Notes
from ..report.cells import DASH
from ..report.document import Cell, Column, Table, Tone
from ..statistics import Interval
from ..table import duration, spread, times
from .capacity import Plan
from .offer import HOURS_PER_MONTH, Offer
from .prices import machine_name
from .throughput import Batch


def tables(plan: Plan) -> tuple[Table, ...]:
    """Machines, then costs and growth where they were asked for, the break-even, and what was not measured."""
    made = []
    if plan.offers:
        made += [_machines(plan), _rates(plan)]
        if plan.currency is not None:
            made.append(_costs(plan))
        if plan.question.growth is not None:
            made.append(_growth(plan))
    if plan.break_even:
        made.append(_break_even(plan))
    if plan.not_measured:
        made.append(_not_measured(plan))
    return tuple(made)


def _machines(plan: Plan) -> Table:
    notes = Notes()
    spares = plan.question.spares
    rows = []
    for offer in plan.offers:
        fleet = None if offer.machines is None else offer.machines + spares
        needed = Cell("not known" if offer.batch.seconds.high is None else "too slow", tone=Tone.CAREFUL)
        if offer.machines is not None:
            tone = Tone.GOOD if offer in plan.best else Tone.PLAIN
            needed = Cell(f"{offer.machines:,}", offer.machines, tone)
        told = Cell(" ".join(map(notes.mark, offer.cautions)))
        rows.append((*_who(offer), needed, _number(offer.machines_by_median), _number(fleet), told))
    return Table(
        "plan-machines",
        "Machines that meet the deadline: by the lower bound of the rate, by its median, and to buy",
        (
            *_WHO,
            Column("machines", numeric=True),
            Column("by median", numeric=True),
            Column("with spares" if spares else "to buy", numeric=True),
            Column("notes"),
        ),
        tuple(rows),
        notes.texts,
    )


def _rates(plan: Plan) -> Table:
    notes = Notes()
    rows = []
    for offer in plan.offers:
        batch = offer.batch
        rows.append(
            (
                *_who(offer),
                Cell(f"{batch.rows:,}", batch.rows),
                Cell(f"{batch.rate.median:,.0f}{spread(batch.rate)}", batch.rate.median),
                Cell(duration(batch.setup_seconds), batch.setup_seconds),
                _bytes(batch.peak_bytes),
                _bytes(batch.gpu_peak_bytes),
                _energy(batch),
                Cell(notes.mark(batch.basis)),
            )
        )
    return Table(
        "plan-one-machine",
        "One machine, batch after batch; fetching the answer is in the rate, set-up is paid once",
        (
            *_WHO,
            Column("batch", "rows", numeric=True),
            Column("rate", "rows/s", numeric=True),
            Column("set-up", "s", numeric=True),
            Column("peak memory", "GiB", numeric=True),
            Column("of the GPU", "GiB", numeric=True),
            Column("energy", "kJ per million rows", numeric=True),
            Column("rate from"),
        ),
        tuple(rows),
        notes.texts,
    )


def _energy(batch: Batch) -> Cell:
    """Mean power over the rate, of what had a meter."""
    if not batch.watts:
        return Cell("not measured", tone=Tone.QUIET)
    kilojoules = sum(batch.watts.values()) / batch.rate.median * 1e3
    return Cell(f"{kilojoules:.3g} ({' + '.join(name.upper() for name in batch.watts)})", kilojoules)


def _costs(plan: Plan) -> Table:
    notes = Notes()
    rows = []
    for offer in plan.offers:
        price = offer.price
        if price is None:
            continue
        source = f"{price.name}: {price.date.isoformat()}, {price.source}"
        rows.append(
            (
                *_who(offer),
                Cell(money(price.per_hour), price.per_hour),
                *_bounded(offer.per_million_rows),
                *_monthly(offer),
                Cell(notes.mark(source)),
            )
        )
    unit = plan.currency or ""
    return Table(
        "plan-costs",
        f"Costs in {unit}: of a million rows by the time at work; of a month ({HOURS_PER_MONTH:g} hours) by the fleet "
        "to buy, spares included, kept all month",
        (
            *_WHO,
            Column("an hour", unit, numeric=True),
            Column("a million rows", unit, numeric=True),
            Column("interval"),
            Column("a month", unit, numeric=True),
            Column("interval"),
            Column("price of"),
        ),
        tuple(rows),
        notes.texts,
    )


def _growth(plan: Plan) -> Table:
    asked = plan.question
    rows = []
    for offer in plan.offers:
        outgrown = Cell(f"not within {asked.horizon}")
        if offer.machines is None:
            outgrown = DASH
        elif offer.outgrown_after is not None:
            outgrown = Cell(f"{offer.outgrown_after}", offer.outgrown_after, Tone.CAREFUL)
        rows.append((*_who(offer), _number(offer.machines), outgrown, _number(offer.machines_at_horizon)))
    return Table(
        "plan-growth",
        f"Growth by {100 * (asked.growth or 0):.3g} % a month: the month in which the machines no longer meet the "
        f"deadline even without headroom, and those needed after {asked.horizon} months with it",
        (
            *_WHO,
            Column("machines", numeric=True),
            Column("outgrown in month", numeric=True),
            Column(f"after {asked.horizon} months", numeric=True),
        ),
        tuple(rows),
    )


def _break_even(plan: Plan) -> Table:
    rows = []
    for each in plan.break_even:
        verdict = Cell("pays", tone=Tone.GOOD) if each.pays else Cell("does not pay", tone=Tone.BAD)
        if each.pays is None:
            verdict = DASH if each.gpu_price is None else Cell("cannot be told", tone=Tone.CAREFUL)
        rows.append(
            (
                Cell(f"{each.gpu_variant} on {machine_name(each.gpu_host, 'cuda')}"),
                Cell(f"{each.cpu_variant} on {machine_name(each.cpu_host, 'cpu')}"),
                *_bounded(each.speed_up, times),
                *_bounded(each.price),
                DASH if each.gpu_price is None else Cell(money(each.gpu_price), each.gpu_price),
                verdict,
            )
        )
    unit = plan.currency or ""
    return Table(
        "plan-break-even",
        "What an hour of a GPU machine is worth: the price of a CPU machine's hour times the speed-up",
        (
            Column("GPU"),
            Column("CPU"),
            Column("speed-up", "x", numeric=True),
            Column("interval"),
            Column("worth an hour", unit, numeric=True),
            Column("interval"),
            Column("costs an hour", unit, numeric=True),
            Column(""),
        ),
        tuple(rows),
    )


def _not_measured(plan: Plan) -> Table:
    return Table(
        "plan-not-measured",
        "Not measured, and so in no figure above",
        (Column("variant"), Column("device"), Column("why"), Column("to measure it")),
        tuple(
            (Cell(each.variant), Cell(each.device), Cell(each.reason), Cell(each.command)) for each in plan.not_measured
        ),
    )


_WHO = (Column("variant"), Column("device"), Column("machine"), Column("threads", numeric=True))


def _who(offer: Offer) -> tuple[Cell, ...]:
    machine = Cell(machine_name(offer.host, offer.device))
    return Cell(offer.variant), Cell(offer.device), machine, _number(offer.threads)


def _number(count: int | None) -> Cell:
    return DASH if count is None else Cell(f"{count:,}", count)


def _bytes(count: Interval | None) -> Cell:
    """Bytes in GiB, with the upper bound, which is what must be there."""
    if count is None:
        return DASH
    text = f"{count.median / 2**30:.2f}" + ("" if count.high is None else f", at most {count.high / 2**30:.2f}")
    return Cell(text, count.median / 2**30)


def _bounded(interval: Interval | None, written: Callable[[float], str] | None = None) -> tuple[Cell, Cell]:
    """The figure, and its bounds in brackets."""
    written = written or money
    if interval is None:
        return DASH, DASH
    bounds = DASH
    if interval.low is not None and interval.high is not None:
        bounds = Cell(f"({written(interval.low)} to {written(interval.high)})")
    return Cell(written(interval.median), interval.median), bounds


def _monthly(offer: Offer) -> tuple[Cell, Cell]:
    """Of the machines to buy, which are those of the upper bound; by the median where there is none."""
    middle, bounds = _bounded(offer.per_month)
    cost = offer.per_month
    if cost is None or cost.high is None:
        return middle, bounds
    return Cell(money(cost.high), cost.high), bounds


def money(amount: float | None) -> str:
    """An amount to the cent, of less than 1 to three digits."""
    if amount is None:
        return "-"
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.3g}"
