"""Options of the command line that have a unit: bytes, per cent, durations."""

import re
from collections.abc import Mapping
from decimal import Decimal

import click

_BYTES = {"": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_MOST = Decimal("1e18")


class Amount(click.ParamType):
    """A number and its unit."""

    units: Mapping[str, float]
    example: str

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The amount in the unit of 1; what is a number already stays."""
        if isinstance(value, int | float):
            return value
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z%/]*)", str(value).strip().lower())
        if found is None or found[2] not in self.units:
            self.fail(f"{value!r} is no {self.name}; write it as {self.example}", param, ctx)
        return float(found[1]) * self.units[found[2]]

    def written(self, value: float) -> str:
        """The amount as text that `convert` takes."""
        return f"{value:.15g}"


class Size(Amount):
    """A number of bytes: ``8GiB``, ``500MB``, ``1073741824``."""

    name, units, example = "size", _BYTES, "8GiB or 500MB"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes."""
        return int(super().convert(value, param, ctx))


class Duration(Amount):
    """Seconds: ``90``, ``10m``, ``1.5h``."""

    name, units, example = "duration", _SECONDS, "90s, 10m or 1.5h"


class Share(Amount):
    """A share: ``3%`` is 0.03. A number without its sign is refused: 3 may be meant as 3 % or as three times."""

    name, units, example = "share", {"%": 0.01}, "3%"

    def written(self, value: float) -> str:
        """In per cent."""
        return f"{100 * value:.15g}%"


class MonthlyShare(Share):
    """A share of each month: ``5%/month`` is 0.05. A share alone is refused: it may be meant of a year."""

    name, units, example = "share of a month", {"%/month": 0.01}, "5%/month"

    def written(self, value: float) -> str:
        """In per cent of a month."""
        return f"{super().written(value)}/month"


class Count(click.ParamType):
    """A whole number: ``2000000000``, ``2e9``."""

    name = "count"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; what is one already stays."""
        if isinstance(value, int):
            return value
        try:
            number = Decimal(str(value))
        except ArithmeticError:
            number = Decimal("nan")
        if not (number.is_finite() and -_MOST <= number <= _MOST and number == int(number)):
            self.fail(f"{value!r} is no whole number up to {_MOST:g}; write it as 2e9 or 2000000000", param, ctx)
        return int(number)
