"""Which parameters a tuning tries: values in a TOML file, all combinations of them, or so many drawn by chance.

    factors = [32, 64, 128]                                     # values, each tried
    regularization = { low = 1, high = 300, log = true }        # a range, to draw from
    alpha = 10                                                  # one value

Values are texts from here on, so that the same code refuses wrong ones as for ``--param``.
"""

import random
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..pipeline import registry
from ..pipeline.contract import Scalar
from ..pipeline.errors import InputError
from ..pipeline.search import Range
from ..pipeline.workload import DEFAULTS
from .cases import parameter_sets, parameters_of

Space = Mapping[str, Sequence[str] | Range]

OPTIONS = {"seed": "--seed", "folds": "--folds"}
"""Parameters that make the folds, so that all trials of a tuning have them in common, and the options that set them."""
_DRAWS_PER_POINT = 100
"""Draws after which a space is taken to have no more points that differ."""


def read_space(path: Path) -> dict[str, list[str] | Range]:
    """The values and ranges in a TOML file by parameter.

    Raises:
        InputError: the file is missing, is not TOML, is empty, or has something that is neither values nor a range.

    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML ({error}); write lines such as factors = [32, 64]") from error
    if not content:
        raise InputError(f"{path}: names no parameter; write lines such as factors = [32, 64]")
    return {name: _values_or_range(f"{path}: {name}", found) for name, found in content.items()}


def _values_or_range(where: str, found: Any) -> list[str] | Range:
    if isinstance(found, dict):
        return _range(where, found)
    values = found if isinstance(found, list) else [found]
    if not values:
        raise InputError(f"{where}: has no values; give one or more")
    for value in values:
        if not isinstance(value, Scalar):
            raise InputError(f"{where}: {value!r} is no number, text or truth value")
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in values]


def _range(where: str, found: dict[str, Any]) -> Range:
    if set(found) - {"low", "high", "log"} or not {"low", "high"} <= set(found):
        raise InputError(f"{where}: a range has low, high and maybe log, not {', '.join(found) or 'nothing'}")
    low, high, log = found["low"], found["high"], found.get("log", False)
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in (low, high)):
        raise InputError(f"{where}: low and high must be numbers, not {low!r} and {high!r}")
    if not isinstance(log, bool):
        raise InputError(f"{where}: log must be true or false, not {log!r}")
    try:
        return Range(low, high, log)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def check_space(stage: str, space: Space) -> None:
    """Refuse what the stage has no use for, before anything is tried.

    Raises:
        InputError: a name is not of a parameter of this stage, a value or an end of a range is not of its type, or the
            parameter is the same for all trials.

    """
    defaults = {**DEFAULTS, **registry.stages()[stage].parameters}
    for name, found in space.items():
        if name in OPTIONS:
            raise InputError(f"{name} is the same for all trials, whose folds would differ: give it as {OPTIONS[name]}")
        if name not in defaults:
            raise InputError(f"stage {stage} has no parameter '{name}'; it has: {', '.join(sorted(defaults))}")
        if isinstance(found, Range) and type(defaults[name]) not in (int, float):
            raise InputError(f"{name} is no number: give values, as in {name} = ['{defaults[name]}'], not a range")
        for text in [str(found.low), str(found.high)] if isinstance(found, Range) else found:
            parameters_of(stage, {name: text})


def every_point(stage: str, space: Space) -> list[dict[str, Scalar]]:
    """All parameters of each combination of values, each once, in the order of the file.

    Raises:
        InputError: as `check_space`, or there is a range, which has no end of values.

    """
    check_space(stage, space)
    ranges = [name for name, found in space.items() if isinstance(found, Range)]
    if ranges:
        raise InputError(f"{', '.join(ranges)}: a range is drawn from; say how often by --random, or give values")
    return list(parameter_sets(stage, {name: found for name, found in space.items() if not isinstance(found, Range)}))


def drawn_points(stage: str, space: Space, count: int, seed: int) -> list[dict[str, Scalar]]:
    """``count`` points that differ, by chance; fewer where the space has no more. The same for a seed everywhere.

    More points of the same seed begin with the same ones. Chance is `random.Random.random`, whose numbers Python keeps
    the same in all versions.

    Raises:
        InputError: as `check_space`.

    """
    check_space(stage, space)
    defaults = {**DEFAULTS, **registry.stages()[stage].parameters}
    chance = random.Random(seed)
    points: list[dict[str, Scalar]] = []
    for _ in range(_DRAWS_PER_POINT * count):
        drawn = {name: _drawn(space[name], type(defaults[name]), chance.random()) for name in sorted(space)}
        point = parameters_of(stage, drawn)
        if point not in points:
            points.append(point)
        if len(points) == count:
            break
    return points


def _drawn(found: Sequence[str] | Range, kind: type, share: float) -> str:
    if isinstance(found, Range):
        return str(found.whole(share) if kind is int else found.real(share))
    return found[int(share * len(found))]
