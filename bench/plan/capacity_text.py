"""A capacity plan as a section of a document: the answer in sentences, its tables, and the commands that go further."""

from ..report.document import Block, Command, Paragraph, Section
from ..statistics import Interval
from ..table import duration, times
from .break_even import BreakEven
from .capacity import Plan
from .capacity_tables import money, tables
from .prices import machine_name


def section(plan: Plan) -> Section:
    """All of it, in the order in which it is asked: what to buy, what that rests on, what is not known."""
    blocks: list[Block] = [Paragraph(text) for text in answers(plan)]
    blocks += tables(plan)
    blocks += [Command(each.why, each.command) for each in plan.next]
    return Section("plan", f"Capacity plan: {_asked(plan)}", tuple(blocks))


def answers(plan: Plan) -> tuple[str, ...]:
    """What the plan comes to, a sentence or two each."""
    if not plan.offers:
        return (
            f"Nothing of stage '{plan.question.stage}' has been measured with a right answer: there is nothing to plan "
            "from.",
        )
    told = [_best(plan), _assumed(plan)]
    told += [_gpu(each, plan.currency) for each in plan.break_even]
    if not plan.break_even and not any(offer.device == "cuda" for offer in plan.offers):
        told.append("No GPU variant was measured: up to which price a GPU hour pays is not known.")
    if plan.left_out:
        told.append(f"Measured as well, and not in this plan: {'; '.join(plan.left_out)}.")
    return tuple(told)


def _asked(plan: Plan) -> str:
    asked = plan.question
    text = f"{asked.rows:,} rows through '{asked.stage}' within {_time(asked.deadline_seconds)}"
    text += f", {100 * asked.headroom:.3g} % of it kept free"
    return text + (f", {_count(asked.spares, 'spare machine')}" if asked.spares else "")


def _best(plan: Plan) -> str:
    if not plan.best:
        return "No variant meets the deadline for sure: see the notes below the table."
    first, *others = plan.best
    spares = plan.question.spares
    fleet = _count((first.machines or 0) + spares, "machine") + (f", {spares} of them spare" if spares else "")
    by = "Cheapest that meets the deadline" if plan.currency else "Fewest machines that meet the deadline"
    text = f"{by}: {first.variant} on {machine_name(first.host, first.device)}: {fleet}"
    if first.per_month is not None:
        text += f", {plan.currency} {money(first.per_month.high)} a month"
    if others:
        names = ", ".join(dict.fromkeys(f"{each.variant} on {machine_name(each.host, each.device)}" for each in others))
        text += f". By their intervals it cannot be told from: {names}"
    return text + "."


def _assumed(plan: Plan) -> str:
    chosen = ", ".join(f"{name} {value}" for name, value in sorted(plan.parameters.items()))
    return (
        f"Measured with {plan.dataset} ({chosen}), which stands for the work: rows of other data may take another "
        "time. Machines are counted by the lower bound of the rate (95 %); each is set up once, and works through "
        "batches of a size that was measured."
    )


def _gpu(each: BreakEven, currency: str | None) -> str:
    text = f"{each.gpu_variant} is {_ratio(each.speed_up)} as fast as {each.cpu_variant}, machine by machine: "
    if each.speed_up.low is None:
        return text + "without an interval, what an hour of the GPU machine is worth is not known."
    worth = f"{times(each.speed_up.low)} the price of a CPU hour"
    if each.price is not None:
        worth = f"{currency} {money(each.price.low)}"
    text += f"an hour of the GPU machine is worth {worth} for sure"
    if each.gpu_price is None:
        return text + "."
    verdict = {True: "it pays", False: "it does not pay", None: "whether it pays cannot be told"}[each.pays]
    return f"{text}; it costs {money(each.gpu_price)}, so {verdict}."


def _ratio(ratio: Interval) -> str:
    if ratio.low is None or ratio.high is None:
        return times(ratio.median)
    return f"{times(ratio.median)} ({times(ratio.low)} to {times(ratio.high)})"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _time(seconds: float) -> str:
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.4g} {name}"
    return duration(seconds)
