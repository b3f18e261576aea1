"""Ranges that the values of a parameter are drawn from."""

import math
from dataclasses import dataclass

from .errors import InputError

_DIGITS = 4
"""Significant digits of a value drawn: enough to tell models apart, few enough to type."""


@dataclass(frozen=True)
class Range:
    """From ``low`` to ``high``, both included; ``log``: each order of magnitude is as likely as another.

    Raises:
        InputError: the range is empty or not finite, or has a logarithm and is not above 0.

    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        """Refuse what nothing can be drawn from."""
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise InputError(f"the range from {self.low:g} to {self.high:g} must be finite")
        if not self.low <= self.high:
            raise InputError(f"low = {self.low:g} is above high = {self.high:g}; swap them")
        if self.log and self.low <= 0:
            raise InputError(f"log = true needs a range above 0, and low = {self.low:g}")

    def real(self, share: float) -> float:
        """The value at a share, 0 to 1, of the range, to four significant digits."""
        rounded = float(f"{self._at(share, self.high):.{_DIGITS}g}")
        return min(max(rounded, self.low), self.high)

    def whole(self, share: float) -> int:
        """The whole number at a share, 0 to below 1, of the range; without ``log`` each is as likely as another."""
        return min(math.floor(self._at(share, self.high + 1)), math.floor(self.high))

    def _at(self, share: float, high: float) -> float:
        if self.log:
            return self.low * (high / self.low) ** share
        return self.low + share * (high - self.low)
