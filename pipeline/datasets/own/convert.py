"""A user's values in the form that a dataset keeps: text, numbers, labels, identifiers, technologies.

Each function takes one batch's array of any Arrow type and raises `BadCell` for the first value that cannot be used.
"""

import json
from bisect import bisect_left
from collections.abc import Callable
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import InputError
from ...technologies import join
from .read import BadCell

LARGEST_CELL = 2 << 20
"""Bytes of the largest cell of text: about 100,000 technologies of one record."""

_LARGEST_NUMBER = float(np.finfo(np.float32).max)

NO_NUMBER = ("", "#N/A", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null")
"""Texts that mean 'no value' in a column of numbers, as spreadsheets, pandas, R and SQL write them."""

Form = Literal["delimited", "json", "list"]
"""How a technology column holds several names: one text, one text with a JSON list, or a column of lists."""


def is_text(kind: pa.DataType) -> bool:
    """Whether the type holds text, dictionary-encoded or not."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_one(kind) for is_one in (*text, pa.types.is_binary, pa.types.is_large_binary))


def is_list(kind: pa.DataType) -> bool:
    """Whether the type holds lists."""
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_one(kind) for is_one in (*lists, pa.types.is_list_view, pa.types.is_large_list_view))


def is_number(kind: pa.DataType) -> bool:
    """Whether the type holds numbers; truth values are none."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def text(array: pa.Array) -> pa.Array:
    """Any scalar values as strings of at most `LARGEST_CELL` bytes; nulls stay."""
    texts = strings(array)
    too_large = pc.greater(pc.binary_length(texts), LARGEST_CELL)
    refuse(too_large, f"a cell of more than {LARGEST_CELL >> 20} MiB; shorten it, or leave the record or column out")
    return texts


def strings(array: pa.Array) -> pa.Array:
    """Any scalar values as strings; nulls stay, and NaN is null."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), None, array)
    try:
        return pc.cast(array, pa.string())
    except pa.ArrowNotImplementedError:
        raise BadCell(None, f"is of type {array.type}, which is no text; write it as text") from None
    except pa.ArrowInvalid as error:
        raise BadCell(None, f"holds bytes that are not UTF-8 ({error}); write it as text") from None


def numbers(array: pa.Array) -> pa.Array:
    """Numbers as float64: NaN and the texts of `NO_NUMBER` are null; infinities, also as float32, are refused."""
    found = only_numbers(array, "name the column under --categorical")
    found = pc.if_else(pc.is_nan(found), None, found)
    refuse(pc.is_inf(found), "an infinite number; leave the cell empty")
    refuse(pc.greater(pc.abs(found), _LARGEST_NUMBER), "beyond what features hold (float32); choose another unit")
    return found


def only_numbers(array: pa.Array, otherwise: str) -> pa.Array:
    """As `maybe_numbers`; a value that is no number is refused, ``otherwise`` says what else the user can do."""
    found = maybe_numbers(array)
    if found is None:
        if not is_text(array.type):
            raise BadCell(None, f"is of type {array.type}, which is no number; {otherwise}")
        texts = text(array)
        row = first_bad(texts, lambda few: maybe_numbers(few) is not None)
        raise BadCell(row, f"{texts[row].as_py()!r} is not a number; mend it, or {otherwise}")
    return found


def first_bad(array: pa.Array, are_good: Callable[[pa.Array], bool]) -> int:
    """The first row that is not good, in an array that is not."""
    return bisect_left(range(len(array)), True, key=lambda row: not are_good(array.slice(0, row + 1)))


def maybe_numbers(array: pa.Array) -> pa.Array | None:
    """The values as float64, or None if one of them is no number; truth values count as 0 and 1."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_boolean(array.type):
        array = pc.cast(array, pa.int8())
    if pa.types.is_null(array.type) or is_number(array.type):
        return pc.cast(array, pa.float64(), safe=False)
    if not is_text(array.type):
        return None
    trimmed = pc.utf8_trim_whitespace(text(array))
    try:
        empty = pc.is_in(trimmed, value_set=pa.array(NO_NUMBER))
        return pc.cast(pc.if_else(empty, None, trimmed), pa.float64())
    except pa.ArrowInvalid:
        return None


def labels(array: pa.Array, positive: str | None) -> pa.Array:
    """Labels as int8: 0/1 and true/false as they stand, or 1 where the value is ``positive`` and 0 elsewhere."""
    texts = pc.utf8_trim_whitespace(text(array))
    refuse(pc.or_kleene(pc.is_null(texts), pc.equal(texts, "")), "no label; fill it in, or leave the record out")
    if positive is not None:
        return pc.cast(pc.equal(texts, positive.strip()), pa.int8())
    lower = pc.utf8_lower(texts)
    ones = pc.is_in(lower, value_set=pa.array(["1", "1.0", "true"]))
    known = pc.or_(ones, pc.is_in(lower, value_set=pa.array(["0", "0.0", "false"])))
    row = _first(pc.invert(known))
    if row is not None:
        raise BadCell(
            row, f"label {texts[row].as_py()!r} is not 0, 1, true or false; say which value is 1 by --positive"
        )
    return pc.cast(ones, pa.int8())


def identifiers(array: pa.Array) -> pa.Array:
    """Identifiers as strings, none of them null or empty."""
    texts = text(array)
    refuse(
        pc.or_kleene(pc.is_null(texts), pc.equal(texts, "")),
        "no identifier; fill it in, or leave --id out to number the records",
    )
    return texts


def technologies(array: pa.Array, form: Form, delimiter: str) -> pa.Array:
    """One delimited string per record; null stays null (unknown), an empty list becomes ``""`` (known none)."""
    if form == "list":
        return _joined(array, delimiter)
    texts = text(array)
    if form == "json":
        cells = [
            None if cell is None else _from_json(row, cell, delimiter) for row, cell in enumerate(texts.to_pylist())
        ]
        return pa.array(cells, pa.string())
    bracketed = pc.fill_null(pc.starts_with(pc.utf8_ltrim_whitespace(texts), "["), False)
    for row in np.flatnonzero(bracketed.to_numpy(zero_copy_only=False)).tolist():
        if _is_json_list(texts[row].as_py()):
            raise BadCell(
                row, "a JSON list, where --delimiter or the first cell says delimited text; write all cells alike"
            )
    return texts


def _joined(array: pa.Array, delimiter: str) -> pa.Array:
    kind = array.type.value_type
    if not is_text(kind) and not pa.types.is_null(kind):
        raise BadCell(None, f"holds lists of {kind}; technologies are text")
    lengths = pc.fill_null(pc.if_else(pc.is_null(array), None, pc.list_value_length(array)), 0)
    offsets = np.concatenate([[0], np.cumsum(lengths.to_numpy(zero_copy_only=False), dtype=np.int64)])
    names = strings(array.flatten())
    kept = np.concatenate([[0], np.cumsum(pc.is_valid(names).to_numpy(zero_copy_only=False), dtype=np.int64)])
    names = names.drop_null()
    starts = kept[offsets]
    holding = pc.indices_nonzero(pc.match_substring(names, delimiter))
    if len(holding):
        position = holding[0].as_py()
        row = int(np.searchsorted(starts, position, side="right")) - 1
        raise BadCell(row, _held(names[position].as_py(), delimiter))
    lists = pa.LargeListArray.from_arrays(pa.array(starts, pa.int64()), names)
    cells = pc.if_else(pc.is_null(array), None, pc.binary_join(lists, delimiter))
    return text(cells)


def _from_json(row: int, cell: str, delimiter: str) -> str | None:
    try:
        found = json.loads(cell) if cell.strip() else []
    except (ValueError, RecursionError) as error:
        raise BadCell(row, f"{_short(cell)} is not JSON ({error}); mend the cell") from None
    if found is None:
        return None
    if not isinstance(found, list):
        raise BadCell(row, f'{_short(cell)} is not a JSON list; write ["name", ...]')
    names = [name for name in found if name is not None]
    for name in names:
        if not isinstance(name, str):
            raise BadCell(row, f"the list holds {_short(json.dumps(name))}, which is not text; write names in quotes")
    try:
        return join(names, delimiter)
    except InputError as error:
        raise BadCell(row, str(error)) from None


def _is_json_list(cell: str) -> bool:
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, list) and all(name is None or isinstance(name, str) for name in found)


def _held(name: str, delimiter: str) -> str:
    return f"technology {name!r} holds the delimiter {delimiter!r}; choose another by --delimiter, or leave it out"


def _short(cell: str) -> str:
    return repr(cell if len(cell) <= 60 else f"{cell[:57]}...")


def _first(flags: pa.Array) -> int | None:
    """The first row that is true."""
    rows = pc.indices_nonzero(pc.fill_null(flags, False))
    return rows[0].as_py() if len(rows) else None


def refuse(flags: pa.Array, problem: str) -> None:
    """Raise `BadCell` for the first row that is true."""
    row = _first(flags)
    if row is not None:
        raise BadCell(row, problem)
