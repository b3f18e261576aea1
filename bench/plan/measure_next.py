"""What to measure next: the runs that would narrow the intervals which the choice hangs on."""

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..statistics import LEAST_ROUNDS
from .not_measured import NotMeasured
from .offer import Offer

_REPEATABLE = ("technobench run ", "technobench sweep ")
_MOST_ROUNDS, _LEAST_BUDGET = 20, 60
_LARGER = (2, 4, 8)


@dataclass(frozen=True)
class Next:
    """Something to measure: why, and the command."""

    why: str
    command: str


def measure_next(
    stage: str, offers: Sequence[Offer], best: Sequence[Offer], absent: Sequence[NotMeasured], scalable: bool
) -> tuple[Next, ...]:
    """What matters most first.

    First what has no interval and might be better than the best, then what the best cannot be told from, or how well it
    is known itself, then a GPU, without which the price of its hour cannot be judged, then larger batches of the best.
    """
    found: dict[str, Next] = {}
    larger = _larger(stage, best) if scalable else ()
    for each in (*_without_interval(stage, offers, best), *_widest(stage, best), *_never(offers, absent), *larger):
        found.setdefault(each.command, each)
    return tuple(found.values())


def _without_interval(stage: str, offers: Sequence[Offer], best: Sequence[Offer]) -> Iterator[Next]:
    for offer in offers:
        if offer.batch.seconds.high is None and offer.machines_by_median is not None and _may_be_best(offer, best):
            yield Next(f"the rate of {offer.variant} has no interval, and it may be the best", _again(stage, offer))


def _may_be_best(offer: Offer, best: Sequence[Offer]) -> bool:
    if not best:
        return True
    if offer.per_month is not None and best[0].per_month is not None:
        return offer.per_month.median <= (best[0].per_month.high or math.inf)
    return (offer.machines_by_median or 0) <= (best[0].machines or 0)


def _widest(stage: str, best: Sequence[Offer]) -> Iterator[Next]:
    """Of those that cannot be told apart, or of the best alone, the one with the widest interval of its rate."""
    if not best:
        return
    widest = max(best, key=lambda offer: offer.rate.half_width)
    share = f"its rate is known to ±{100 * widest.rate.half_width:.1f} %"
    others = dict.fromkeys(offer.variant for offer in best if offer is not widest)
    if others:
        yield Next(f"{widest.variant} cannot be told from {', '.join(others)}; {share}", _again(stage, widest))
    elif widest.machines != widest.machines_by_median:
        yield Next(f"{share}: that of {widest.variant}, and this costs machines", _again(stage, widest))


def _never(offers: Sequence[Offer], absent: Sequence[NotMeasured]) -> Iterator[Next]:
    if any(offer.device == "cuda" for offer in offers):
        return
    for each in absent:
        if each.device == "cuda":
            yield Next(f"{each.variant} was not measured, so no price of a GPU hour can be judged", each.command)
            return


def _larger(stage: str, best: Sequence[Offer]) -> Iterator[Next]:
    for offer in best[:1]:
        points = ",".join(str(offer.batch.rows * factor) for factor in _LARGER)
        case = ["--stage", stage, "--variant", offer.variant, "--dataset", offer.dataset]
        yield Next(
            f"whether {offer.variant} is as fast in batches of more than {offer.batch.rows:,} rows is not known",
            shlex.join(["technobench", "sweep", *case, "--axis", "rows", "--points", points]),
        )


def _again(stage: str, offer: Offer) -> str:
    """The command that measured it, with time for an interval; of an option given twice the last counts."""
    command = offer.command
    if not command.startswith(_REPEATABLE):
        case = ["--stage", stage, "--variant", offer.variant, "--dataset", offer.dataset]
        command = shlex.join(["technobench", "run", *case])
    budget = max(_LEAST_BUDGET, math.ceil(offer.batch.seconds.median * (LEAST_ROUNDS + 1)))
    return f"{command} --rounds {_MOST_ROUNDS} --budget {budget}"
