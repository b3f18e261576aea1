"""Items of cells to numbers, over the bytes of an Arrow column.

Items are numbered as they are found by a hash table over their bytes; nothing is made per item but its number. UTF-8
is such that a delimiter's bytes occur nowhere but where the delimiter does. The table outlives the column: it holds the
text of its items.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from .bits import trailing_zeros
from .memory import uint8_at, uint64_at

_ONES = np.uint64(0x0101010101010101)
_HIGH_BITS = np.uint64(0x8080808080808080)
_TAG = np.uint64(0xFFFFFFFF00000000)
_NUMBER = np.uint64(0x00000000FFFFFFFF)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_WORD = 8
_SMALLEST_TABLE = 1 << 12
_BYTES_OF_AN_ITEM = 16


@njit(cache=True, nogil=True)
def _word_at(address: int, end: int, limit: int) -> np.uint64:
    """The bytes from ``address`` to ``end``, at most 8, as a uint64 with zeros above; ``limit`` ends the buffer."""
    if address + _WORD <= limit:
        word = uint64_at(address)
        if address + _WORD <= end:
            return word
        return word & ((_ONE << np.uint64(8 * (end - address))) - _ONE)
    word = _ZERO
    for k in range(min(_WORD, end - address)):
        word |= np.uint64(uint8_at(address + k)) << np.uint64(8 * k)
    return word


@njit(cache=True, nogil=True)
def _delimiter_from(address: int, end: int, limit: int, delimiter: int, delimiter_length: int) -> int:
    """Where the next delimiter begins in the bytes from ``address`` to ``end``; ``end`` if there is none."""
    last = end - delimiter_length + 1
    pattern = np.uint64(uint8_at(delimiter)) * _ONES
    while address < last:
        different = _word_at(address, end, limit) ^ pattern
        zero_bytes = (different - _ONES) & ~different & _HIGH_BITS
        if zero_bytes == _ZERO:
            address += _WORD
            continue
        address += trailing_zeros(zero_bytes) >> 3
        if address >= last:
            break
        matched = 1
        while matched < delimiter_length and uint8_at(address + matched) == uint8_at(delimiter + matched):
            matched += 1
        if matched == delimiter_length:
            return address
        address += 1
    return end


@njit(cache=True, nogil=True)
def _hash(address: int, end: int, limit: int) -> np.uint64:
    value = np.uint64(end - address)
    while address < end:
        value = (value ^ _word_at(address, end, limit)) * _MULTIPLIER
        value ^= value >> np.uint64(32)
        address += _WORD
    return value * _MULTIPLIER


@njit(cache=True, nogil=True)
def _same(address: int, end: int, limit: int, other: int) -> bool:
    """Whether the bytes from ``address`` to ``end`` are those from ``other`` on, after which 8 more may be read."""
    while address < end:
        left = end - address
        if _word_at(address, end, limit) != _word_at(other, other + left, other + left + _WORD):
            return False
        address += _WORD
        other += _WORD
    return True


@njit(cache=True, nogil=True)
def _count(data: np.ndarray, start: int, end: int, byte: int) -> int:
    count = 0
    for position in range(start, end):
        count += data[position] == byte
    return count


class Items(NamedTuple):
    """Distinct items by number, in the order in which they were found.

    table: uint64[2 * room], an open hash table. An entry holds the upper half of an item's hash and the item's number,
        counted from 1; 0 is free.
    hashes: uint64[room]. ends: int64[room + 1]: item ``k`` is ``text[ends[k] : ends[k + 1]]``. text: uint8, longer by 8
        bytes than what it holds.
    size: int64[1], how many items there are.
    """

    table: np.ndarray
    hashes: np.ndarray
    ends: np.ndarray
    text: np.ndarray
    size: np.ndarray


def no_items() -> Items:
    """An empty table."""
    room = _SMALLEST_TABLE
    table, hashes, ends = np.zeros(2 * room, np.uint64), np.empty(room, np.uint64), np.zeros(room + 1, np.int64)
    return Items(table, hashes, ends, np.empty(room * _BYTES_OF_AN_ITEM, np.uint8), np.zeros(1, np.int64))


@njit(cache=True, nogil=True)
def _with_room(items: Items, length: int) -> Items:
    """The same items with room for one more of so many bytes, and at least half as much again."""
    count = items.size[0]
    used = items.ends[count]
    text = items.text
    if used + length + _WORD > len(text):
        text = np.empty(used + used // 2 + length + _WORD, np.uint8)
        text[:used] = items.text[:used]
    if count < len(items.hashes):
        return Items(items.table, items.hashes, items.ends, text, items.size)
    room = 2 * len(items.hashes)
    table, hashes, ends = np.zeros(2 * room, np.uint64), np.empty(room, np.uint64), np.zeros(room + 1, np.int64)
    hashes[:count], ends[: count + 1] = items.hashes[:count], items.ends[: count + 1]
    mask = np.uint64(len(table) - 1)
    for number in range(count):
        slot = (hashes[number] >> np.uint64(8)) & mask
        while table[slot] != _ZERO:
            slot = (slot + _ONE) & mask
        table[slot] = (hashes[number] & _TAG) | np.uint64(number + 1)
    return Items(table, hashes, ends, text, items.size)


@njit(cache=True, nogil=True)
def _number_rows(
    row: int,
    start: int,
    found: int,
    data: int,
    limit: int,
    offsets: np.ndarray,
    known: np.ndarray,
    delimiter: int,
    delimiter_length: int,
    items: Items,
    tokens: np.ndarray,
    row_starts: np.ndarray,
) -> tuple[int, int, int, int]:
    """Number the items from place ``start`` of a row on, while there is room for new ones.

    ``data``, ``limit`` and ``delimiter`` are addresses; ``found`` is how many tokens there are so far. Returns row,
    start and found to go on with, and the length of the item that there is no room for.
    """
    table, hashes, ends, text, size = items
    items_text = text.ctypes.data
    mask = np.uint64(len(table) - 1)
    whole = delimiter_length == 0
    while row < len(known):
        cell_end = offsets[row + 1] if known[row] else offsets[row]
        while start < cell_end + whole:
            end = cell_end
            if not whole:
                end = _delimiter_from(data + start, data + cell_end, limit, delimiter, delimiter_length) - data
            if start < end or whole:
                value = _hash(data + start, data + end, limit)
                slot = (value >> np.uint64(8)) & mask
                number = -1
                while number < 0 and table[slot] != _ZERO:
                    if (table[slot] ^ value) & _TAG == _ZERO:
                        candidate = int(table[slot] & _NUMBER) - 1
                        same_length = ends[candidate + 1] - ends[candidate] == end - start
                        if same_length and _same(data + start, data + end, limit, items_text + ends[candidate]):
                            number = candidate
                    slot = (slot + _ONE) & mask
                if number < 0:
                    number = size[0]
                    if number == len(hashes) or ends[number] + end - start + _WORD > len(text):
                        return row, start, found, end - start
                    for k in range(end - start):
                        text[ends[number] + k] = uint8_at(data + start + k)
                    hashes[number], ends[number + 1] = value, ends[number] + end - start
                    size[0] = number + 1
                    table[slot] = (value & _TAG) | np.uint64(number + 1)
                tokens[found] = number
                found += 1
            start = end + max(1, delimiter_length)
        row += 1
        row_starts[row] = found
        start = offsets[row]
    return row, start, found, 0


@njit(cache=True, nogil=True)
def number_items(
    data: np.ndarray, offsets: np.ndarray, known: np.ndarray, delimiter: np.ndarray, items: Items
) -> tuple[np.ndarray, np.ndarray, Items]:
    """Number the items of cells in the order in which they are found.

    Args:
        data: uint8, bytes of the cells in UTF-8.
        offsets: int64[rows + 1], where each cell begins in ``data``.
        known: bool[rows]; a cell that is not known is as an empty one.
        delimiter: uint8. Items between delimiters that are empty are left out; with a delimiter of no bytes a cell,
            empty or not, is one item.
        items: what was found before. It must not be used after, but for what is returned.

    Returns:
        int32[tokens], the number of each row's items as they come, repeated ones too;
        int64[rows + 1], where each row begins in it;
        the items found before and those found now.

    """
    rows = len(known)
    most = rows
    if len(delimiter):
        most += _count(data, offsets[0], offsets[rows], delimiter[0])
    tokens = np.empty(most, np.int32)
    row_starts = np.zeros(rows + 1, np.int64)
    row, start, found = 0, offsets[0], 0
    while row < rows:
        row, start, found, lacking = _number_rows(
            row,
            start,
            found,
            data.ctypes.data,
            data.ctypes.data + len(data),
            offsets,
            known,
            delimiter.ctypes.data,
            len(delimiter),
            items,
            tokens,
            row_starts,
        )
        if row < rows:
            items = _with_room(items, lacking)
    return tokens[:found], row_starts, items
