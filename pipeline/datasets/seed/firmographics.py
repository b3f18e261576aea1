"""How the firmographic columns of the `seed` generator are drawn; `columns` says which there are.

Every record has a segment and a size of company, both hidden. Columns depend on them to a stated degree, so that they
agree with one another and with the technologies as real ones do; the rest is chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..streams import Stream, WeightedChoice
from .catalogue import SEGMENTS

# What categories share evenly, so that each of them occurs at scale 1.
_EVEN = 0.10


@dataclass(frozen=True)
class Choice:
    """A category, the first values more often.

    missing: the share of nulls, here and below.
    segment: spread of the log-weights between segments.
    """

    name: str
    values: tuple[str, ...]
    missing: float = 0.0
    segment: float = 0.4


@dataclass(frozen=True)
class Band:
    """A number's band: the first is below the first of the ascending edges, the last from the last edge on."""

    name: str
    source: str
    edges: tuple[float, ...]
    values: tuple[str, ...]
    missing: float = 0.0


@dataclass(frozen=True)
class Group:
    """What a category belongs to: ``groups`` holds the group of each of the source's values, in their order."""

    name: str
    source: str
    groups: tuple[str, ...]
    missing: float = 0.0


@dataclass(frozen=True)
class Quantity:
    """A number: normal about ``middle``, or log-normal, rounded and clipped.

    spread: standard deviation, of the natural logarithm where ``log``.
    size, segment: correlation with the size of the company, and with an effect of the segment.
    """

    name: str
    middle: float
    spread: float
    low: float
    high: float
    log: bool = False
    decimals: int = 0
    size: float = 0.0
    segment: float = 0.2
    missing: float = 0.0


Firmographic = Choice | Band | Group | Quantity


def kind(column: Firmographic) -> Literal["categorical", "numeric"]:
    """How the column is stored."""
    return "numeric" if isinstance(column, Quantity) else "categorical"


class Firmographics:
    """Draws the columns, batch by batch.

    columns: those derived from another after it.
    """

    def __init__(self, columns: Sequence[Firmographic]) -> None:
        self._columns = columns
        self._choices: dict[str, WeightedChoice] = {}
        self._effects: dict[str, NDArray[np.float64]] = {}
        stream = Stream(1)
        for column in columns:
            if isinstance(column, Choice):
                self._choices[column.name] = _weighted(column, stream)
            elif isinstance(column, Quantity):
                self._effects[column.name] = stream.normal(SEGMENTS)

    def draw(self, segments: NDArray[np.int64], company_size: NDArray[np.float64], stream: Stream) -> list[pa.Array]:
        """The columns of ``n`` records, strings or float64, with nulls.

        segments: int64, (n,). company_size: float64, (n,), roughly standard normal.
        """
        drawn: dict[str, NDArray] = {}  # numbers, or positions among a category's values
        arrays: list[pa.Array] = []
        for column in self._columns:
            match column:
                case Choice(name, values):
                    drawn[name] = self._choices[name].draw(segments, stream)
                case Band(name, source, edges, values):
                    drawn[name] = np.searchsorted(edges, drawn[source], side="right")
                case Group(name, source, groups):
                    values, of_source = np.unique(groups, return_inverse=True)
                    drawn[name] = of_source[drawn[source]]
                case Quantity(name):
                    values = None
                    drawn[name] = _numbers(column, self._effects[name][segments], company_size, stream)
            missing = stream.uniform(len(segments)) < column.missing
            array = pa.array(drawn[name], mask=missing)
            arrays.append(array if values is None else pa.array(values, pa.string()).take(array))
        return arrays


def _weighted(column: Choice, stream: Stream) -> WeightedChoice:
    count = len(column.values)
    weights = np.exp(column.segment * stream.normal(SEGMENTS, count)) / np.arange(3, count + 3)
    weights /= weights.sum(axis=1, keepdims=True)
    return WeightedChoice((1 - _EVEN) * weights + _EVEN / count)


def _numbers(
    column: Quantity, effects: NDArray[np.float64], company_size: NDArray[np.float64], stream: Stream
) -> NDArray[np.float64]:
    chance = np.sqrt(1 - column.size**2 - column.segment**2) * stream.normal(len(effects))
    deviation = column.spread * (column.size * company_size + column.segment * effects + chance)
    values = column.middle * np.exp(deviation) if column.log else column.middle + deviation
    # Adding zero turns -0.0, which rounding gives, into 0.0.
    return np.round(np.clip(values, column.low, column.high), column.decimals) + 0.0
