"""Up to which price an hour of a GPU machine is worth it: the price of the CPU's hour times the speed-up."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..statistics import Interval
from .offer import Offer


@dataclass(frozen=True)
class BreakEven:
    """A GPU machine against a CPU machine, by rows per second of each.

    speed_up: of the GPU machine, with its 95 % interval. price: of an hour of it at which a row costs the same on both,
    where the CPU has a price; its lower bound is what one can pay without risk. pays: whether its own price is below
    that for sure, or above for sure; None where it has no price, or the interval holds it.
    """

    gpu_variant: str
    gpu_host: dict[str, Any]
    cpu_variant: str
    cpu_host: dict[str, Any]
    speed_up: Interval
    price: Interval | None
    gpu_price: float | None
    pays: bool | None


def break_even(offers: Sequence[Offer]) -> tuple[BreakEven, ...]:
    """Each GPU offer against the best of the CPU: the cheapest per row where there are prices, else the fastest."""
    of_cpu = [offer for offer in offers if offer.device != "cuda"]
    if not of_cpu:
        return ()

    def worth(offer: Offer) -> float:
        return -offer.per_million_rows.median if offer.per_million_rows is not None else offer.rate.median

    cpu = max(of_cpu, key=worth)
    return tuple(_against(offer, cpu) for offer in offers if offer.device == "cuda")


def _against(gpu: Offer, cpu: Offer) -> BreakEven:
    speed_up = quotient(gpu.rate, cpu.rate)
    per_hour = cpu.price.per_hour if cpu.price else None
    price, pays = None, None
    gpu_price = gpu.price.per_hour if gpu.price else None
    if per_hour is not None:
        price = speed_up.scaled(per_hour)
    if price is not None and gpu_price is not None and price.low is not None and price.high is not None:
        pays = True if gpu_price < price.low else False if gpu_price > price.high else None
    return BreakEven(gpu.variant, gpu.host, cpu.variant, cpu.host, speed_up, price, gpu_price, pays)


def quotient(above: Interval, below: Interval) -> Interval:
    """One positive figure over another, with the 95 % interval from theirs, which are independent.

    In logarithms, by the method of variance estimates recovery: each side's distance to its bound stands for its
    deviation (Zou and Donner 2008, Statistics in Medicine 27, 1693-1702). Without bounds where one of them has none
    above 0.
    """
    middle = above.median / below.median
    if not (above.low and above.high and below.low and below.high):
        return Interval(middle, None, None)
    down = math.hypot(math.log(above.median / above.low), math.log(below.high / below.median))
    up = math.hypot(math.log(above.high / above.median), math.log(below.median / below.low))
    return Interval(middle, middle * math.exp(-down), middle * math.exp(up))
