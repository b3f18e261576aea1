"""What the fitted models of a plan answer; `growth`, `memory_growth` and `scalability` fit them."""

from dataclasses import dataclass
from typing import Protocol

from .curves import Estimate


@dataclass(frozen=True)
class Prediction(Estimate):
    """What a model says of a size: the value with its 95 % prediction interval.

    caution: why the size is outside of what the fit supports; None inside.
    """

    caution: str | None


@dataclass(frozen=True)
class HeldOut:
    """A point that was predicted by a model fitted without it, and what was measured there."""

    at: float
    predicted: Prediction
    measured: float


class Model(Protocol):
    """A model fitted to a curve: `Growth` (seconds by size), `MemoryGrowth` (bytes by size)."""

    @property
    def exponent(self) -> Estimate:
        """Of the growth at the largest point, with its 95 % interval."""
        ...

    @property
    def smallest(self) -> float:
        """The least of the points."""
        ...

    @property
    def largest(self) -> float:
        """The greatest of the points."""
        ...

    @property
    def held_out(self) -> tuple[HeldOut, ...]:
        """How the model fared on points that it did not see."""
        ...

    def at(self, size: float) -> Prediction:
        """The prediction at a size; a size beyond the support has its ``caution`` set."""
        ...


@dataclass(frozen=True)
class NotFitted:
    """Why a curve has no model, and what would have to be measured for it."""

    reason: str
