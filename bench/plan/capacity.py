"""The capacity plan: machines, memory and money for a piece of work, from measured rows alone.

Nothing is extrapolated: a machine works through its share in batches of a size that was measured on it. The number of
machines comes from the lower bound of the rate; the one by the median stands beside it, and shows what the uncertainty
costs.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ...pipeline.contract import Scalar, Variant
from ...pipeline.row import Row
from .break_even import BreakEven, break_even
from .measure_next import Next, measure_next
from .not_measured import NotMeasured, not_measured
from .offer import Offer, counts_order, offer_of
from .prices import Prices
from .question import Question
from .throughput import Throughput, throughputs


@dataclass(frozen=True)
class Plan:
    """The answer.

    dataset, parameters: of the work that was measured; None and empty where nothing was.
    offers: the best first: by the cost per month where there are prices, else by the number of machines; last those
        without a number. best: the first of the offers and those that cannot be told from it, by their intervals.
    next: what to measure next, what matters most first.
    left_out: datasets and parameters that were measured as well, and are not what this plan is about.
    """

    question: Question
    dataset: str | None
    parameters: dict[str, Scalar]
    currency: str | None
    offers: tuple[Offer, ...]
    best: tuple[Offer, ...]
    break_even: tuple[BreakEven, ...]
    not_measured: tuple[NotMeasured, ...]
    next: tuple[Next, ...]
    left_out: tuple[str, ...]


def plan_of(
    rows: Sequence[Row],
    question: Question,
    prices: Prices | None,
    variants: Sequence[Variant],
    dataset: str | None = None,
    scalable: Collection[str] = (),
) -> Plan:
    """The plan from rows of results.

    Args:
        rows: of any runs; those of other stages, and those that are not ``ok``, enter nothing.
        question: what is to be done.
        prices: of the machines; None gives no costs.
        variants: all that there are, so that those without a figure are told.
        dataset: which stands for the work; None takes that of the largest batch, of equals the newest.
        scalable: names of the datasets that come at any size.

    Raises:
        InputError: a measured machine has no price among the prices, or several.

    """
    measured, chosen, left_out = _one_work(throughputs(rows, question.stage), dataset)
    absent = not_measured(rows, question.stage, {each.variant for each in measured}, variants, dataset or chosen)
    return capacity(measured, question, prices, absent, left_out, chosen in scalable)


def capacity(
    measured: Sequence[Throughput],
    question: Question,
    prices: Prices | None,
    absent: Sequence[NotMeasured] = (),
    left_out: Sequence[str] = (),
    scalable: bool = False,
) -> Plan:
    """The plan from throughputs of one work: of one dataset, which may be scalable, with the same parameters.

    Raises:
        InputError: as `plan_of`.

    """
    offers = sorted(_fewest_of_each([offer_of(each, question, prices) for each in measured]), key=_order)
    best = [offer for offer in offers[:1] if offer.machines is not None]
    best += [offer for offer in offers[1:] if best and offer.machines is not None and _overlap(offer, best[0])]
    return Plan(
        question=question,
        dataset=measured[0].dataset if measured else None,
        parameters=measured[0].parameters if measured else {},
        currency=prices.currency if prices else None,
        offers=tuple(offers),
        best=tuple(best),
        break_even=break_even(offers),
        not_measured=tuple(absent),
        next=measure_next(question.stage, offers, best, absent, scalable),
        left_out=tuple(left_out),
    )


def _one_work(
    measured: Sequence[Throughput], dataset: str | None
) -> tuple[list[Throughput], str | None, tuple[str, ...]]:
    """Those of the dataset and parameters with the largest batch, of equals the newest; and what is left out."""
    works: dict[str, list[Throughput]] = {}
    for each in measured:
        works.setdefault(repr((each.dataset, sorted(each.parameters.items()))), []).append(each)
    fitting = [group for group in works.values() if dataset in (None, group[0].dataset)]
    if not fitting:
        return [], None, tuple(dict.fromkeys(each.dataset for each in measured))
    chosen = max(fitting, key=lambda group: max((each.batches[-1].rows, each.measured) for each in group))
    others = (group[0] for group in works.values() if group is not chosen)
    return chosen, chosen[0].dataset, tuple(_difference(other, chosen[0]) for other in others)


def _difference(other: Throughput, chosen: Throughput) -> str:
    """Another work by what it has not in common with the chosen one."""
    unlike = [f"{name} {value}" for name, value in other.parameters.items() if chosen.parameters.get(name) != value]
    unlike += [f"no {name}" for name in chosen.parameters if name not in other.parameters]
    return f"{other.dataset}" + (f" ({', '.join(unlike)})" if unlike else "")


def _fewest_of_each(offers: Sequence[Offer]) -> list[Offer]:
    """One offer for each variant and class of host: of threads and versions those that need the fewest machines."""
    found: dict[tuple[str, str, str], Offer] = {}
    for offer in offers:
        key = offer.variant, offer.device, repr(sorted(offer.host.items()))
        if key not in found or _fleet_order(offer) < _fleet_order(found[key]):
            found[key] = offer
    return list(found.values())


def _fleet_order(offer: Offer) -> tuple[float, ...]:
    counts = offer.machines, offer.machines_by_median
    return *counts_order(counts, offer.batch)[:2], -(offer.rate.low or 0.0), -offer.rate.median


def _order(offer: Offer) -> tuple[float, ...]:
    """What is for sure comes before what is not; then the lower cost, or the fewer machines."""
    cost = float("inf")
    if offer.per_month is not None:
        cost = offer.per_month.median if offer.per_month.high is None else offer.per_month.high
    return offer.machines is None, cost, *_fleet_order(offer)


def _overlap(offer: Offer, best: Offer) -> bool:
    """Whether the offer may be as good as the best, as far as their intervals tell."""
    if offer.per_month is not None and best.per_month is not None:
        return (offer.per_month.low or 0.0) <= (best.per_month.high or 0.0)
    return (offer.machines_at_best or 0) <= (best.machines or 0)
