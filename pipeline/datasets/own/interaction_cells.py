"""A user's interactions in the form that a dataset keeps: ids as text, strengths, ratings and times as numbers.

As in `convert`, each function takes one batch's array of any Arrow type and raises `BadCell` for the first value that
cannot be used. No value may be missing: what a row lacks is not known to the stages either.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .convert import first_bad, is_text, maybe_numbers, only_numbers, refuse, text
from .read import BadCell

EXACT_WHOLE_NUMBERS = 2**53
"""Below it every whole number is a float64 of its own."""

YEAR_1, YEAR_10000 = -62_135_596_800, 253_402_300_800
"""Where they begin, in seconds since 1970 UTC."""

_ISO = "write seconds since 1970 UTC, or ISO 8601 as 2026-01-31 or 2026-01-31T23:59:59Z"
_SECONDS = r"^[+-]?\d+(\.\d*)?$"
_WITH_ZONE = r"\d\d:\d\d.*(Z|[+-]\d\d(:?\d\d)?)$"


def ids(array: pa.Array) -> pa.Array:
    """Ids as strings, as they are written; none is null or empty. Whole numbers as floats lose their ``.0``."""
    if pa.types.is_floating(array.type):
        rounded = pc.round(array)
        exact = pc.and_(pc.equal(array, rounded), pc.less(pc.abs(array), EXACT_WHOLE_NUMBERS))
        # NaN is what frames make of an id that is missing, and makes floats of all others.
        array = pc.if_else(pc.is_nan(array), None, array)
        refuse(
            pc.and_(pc.is_valid(array), pc.invert(exact)), "a number that is not whole or not exact; write it as text"
        )
        array = pc.cast(array, pa.int64())
    texts = text(array)
    refuse(pc.or_kleene(pc.is_null(texts), pc.equal(texts, "")), "no id; fill it in, or leave the row out")
    return texts


def strengths(array: pa.Array) -> np.ndarray:
    """float32[n], finite and above 0: how strong each interaction was."""
    found = _numbers(array, "leave --value out to count each row as 1")
    refuse(pc.less_equal(found, 0.0), "not above 0; leave the row out where there was no interaction")
    return _as_float32(found)


def ratings(array: pa.Array) -> np.ndarray:
    """float32[n], finite: what the user gave the item."""
    return _as_float32(_numbers(array, "leave the row out"))


def _numbers(array: pa.Array, otherwise: str) -> pa.Array:
    found = only_numbers(array, otherwise)
    refuse(pc.or_kleene(pc.is_null(found), pc.is_nan(found)), f"no value; fill it in, or {otherwise}")
    refuse(pc.is_inf(found), f"an infinite number; mend it, or {otherwise}")
    return found


def _as_float32(numbers: pa.Array) -> np.ndarray:
    exact = numbers.to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore", under="ignore"):
        found = exact.astype(np.float32)
    lost = np.isinf(found) | ((found == 0) & (exact != 0))
    refuse(pa.array(lost), "beyond what a value holds (float32); choose another unit")
    return found


def seconds(array: pa.Array) -> np.ndarray:
    """int64[n]: seconds since 1970 UTC, fractions cut off, of numbers or ISO 8601; without a zone it is UTC."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_temporal(array.type) and not _is_clock(array.type):
        found = _whole_seconds(pc.cast(array, pa.timestamp("s")) if pa.types.is_date(array.type) else array)
    elif is_text(array.type):
        found = _seconds_of_text(pc.utf8_trim_whitespace(text(array)))
    else:
        found = maybe_numbers(array)
        if found is None:
            raise BadCell(None, f"is of type {array.type}, which is no time; {_ISO}")
    refuse(pc.or_kleene(pc.is_null(found), pc.is_nan(found)), "no time; fill it in, or leave --timestamp out")
    exact = found.to_numpy(zero_copy_only=False)
    refuse(
        pa.array((exact < YEAR_1) | (exact >= YEAR_10000)),
        "a time before the year 1 or after 9999; write seconds, not milliseconds",
    )
    return np.floor(exact).astype(np.int64)


def _is_clock(kind: pa.DataType) -> bool:
    """Whether the type tells no day."""
    return pa.types.is_time(kind) or pa.types.is_duration(kind) or pa.types.is_interval(kind)


def _seconds_of_text(texts: pa.Array) -> pa.Array:
    found = _maybe_seconds(texts)
    if found is None:
        row = first_bad(texts, lambda few: _maybe_seconds(few) is not None)
        raise BadCell(row, f"{texts[row].as_py()!r} is no time; {_ISO}")
    return found


def _maybe_seconds(texts: pa.Array) -> pa.Array | None:
    """float64, null where a text is empty; None if one of them is no time. Each cell is told by itself."""
    texts = pc.if_else(pc.equal(texts, ""), None, texts)
    is_number = pc.match_substring_regex(texts, _SECONDS)
    has_zone = pc.match_substring_regex(texts, _WITH_ZONE)
    try:
        numbers = pc.cast(pc.if_else(is_number, texts, None), pa.float64())
        zoned = pc.cast(pc.if_else(has_zone, texts, None), pa.timestamp("us", "UTC"))
        plain = pc.cast(pc.if_else(pc.or_(is_number, has_zone), None, texts), pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None
    return pc.coalesce(numbers, _whole_seconds(zoned), _whole_seconds(plain))


def _whole_seconds(times: pa.Array) -> pa.Array:
    """float64, of timestamps of any unit and zone."""
    in_utc = pc.cast(times, pa.timestamp(times.type.unit, "UTC"))
    floored = pc.cast(pc.floor_temporal(in_utc, unit="second"), pa.timestamp("s", "UTC"))
    return pc.cast(pc.cast(floored, pa.int64()), pa.float64())
