"""Delimited cells to sorted, distinct columns per row, over the bytes of an Arrow column.

Items are numbered as they are found by a hash table over their bytes; nothing is made per item but its number. UTF-8
is such that a delimiter's bytes occur nowhere but where the delimiter does.
"""

import numpy as np
from numba import njit

from .memory import uint8_at, uint64_at

_ONES = np.uint64(0x0101010101010101)
_HIGH_BITS = np.uint64(0x8080808080808080)
_TAG = np.uint64(0xFFFFFFFF00000000)
_NUMBER = np.uint64(0x00000000FFFFFFFF)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_WORD = 8
_INSERTION_SORT_LIMIT = 64


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
def _trailing_zero_bytes(bits: np.uint64) -> int:
    """Index of the lowest byte that is not 0; ``bits`` is not 0 and has no bits but each byte's highest."""
    below = (bits & (~bits + _ONE)) - _ONE
    return int(((below & _ONES) * _ONES) >> np.uint64(56)) - 1


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
        address += _trailing_zero_bytes(zero_bytes)
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
def _same(address: int, other: int, length: int, limit: int) -> bool:
    for k in range(0, length, _WORD):
        if _word_at(address + k, address + length, limit) != _word_at(other + k, other + length, limit):
            return False
    return True


@njit(cache=True, nogil=True)
def _count(data: np.ndarray, start: int, end: int, byte: int) -> int:
    count = 0
    for position in range(start, end):
        count += data[position] == byte
    return count


@njit(cache=True, nogil=True)
def _most_items(length: int, delimiter_length: int) -> int:
    """Most items, none of them empty, that so many bytes can hold."""
    return length // (1 + delimiter_length) + 1


@njit(cache=True, nogil=True)
def _larger_table(starts: np.ndarray, lengths: np.ndarray, hashes: np.ndarray, items: int, room: int) -> tuple:
    """A hash table of the first ``items`` items, at most half full with ``room`` of them, and their arrays as long."""
    capacity = 1 << 12
    while capacity < room:
        capacity *= 2
    table = np.zeros(2 * capacity, np.uint64)
    mask = np.uint64(len(table) - 1)
    for number in range(items):
        slot = (hashes[number] >> np.uint64(8)) & mask
        while table[slot] != _ZERO:
            slot = (slot + _ONE) & mask
        table[slot] = (hashes[number] & _TAG) | np.uint64(number + 1)
    larger = np.empty(capacity, np.int64), np.empty(capacity, np.int64), np.empty(capacity, np.uint64)
    larger[0][:items], larger[1][:items], larger[2][:items] = starts[:items], lengths[:items], hashes[:items]
    return table, *larger


@njit(cache=True, nogil=True)
def _number_rows(
    first_row: int,
    data: int,
    limit: int,
    offsets: np.ndarray,
    known: np.ndarray,
    delimiter: int,
    delimiter_length: int,
    table: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    hashes: np.ndarray,
    items: int,
    tokens: np.ndarray,
    row_starts: np.ndarray,
) -> tuple[int, int]:
    """Number the items of rows from ``first_row`` on while there is room for as many new ones as the next can hold.

    ``data``, ``limit`` and ``delimiter`` are addresses. An entry of the table holds the upper half of an item's hash
    and the item's number, counted from 1; 0 is free. Returns the row to go on with, and ``items``.
    """
    mask = np.uint64(len(table) - 1)
    found = row_starts[first_row]
    for row in range(first_row, len(known)):
        start, cell_end = int(offsets[row]), int(offsets[row + 1])
        if items + _most_items(cell_end - start, delimiter_length) > len(starts):
            return row, items
        while known[row] and start < cell_end:
            end = _delimiter_from(data + start, data + cell_end, limit, delimiter, delimiter_length) - data
            length = end - start
            if length > 0:
                value = _hash(data + start, data + end, limit)
                slot = (value >> np.uint64(8)) & mask
                number = -1
                while number < 0 and table[slot] != _ZERO:
                    if (table[slot] ^ value) & _TAG == _ZERO:
                        candidate = int(table[slot] & _NUMBER) - 1
                        same_length = lengths[candidate] == length
                        if same_length and _same(data + starts[candidate], data + start, length, limit):
                            number = candidate
                    slot = (slot + _ONE) & mask
                if number < 0:
                    number = items
                    starts[number], lengths[number], hashes[number] = start, length, value
                    items += 1
                    table[slot] = (value & _TAG) | np.uint64(items)
                tokens[found] = number
                found += 1
            start = end + delimiter_length
        row_starts[row + 1] = found
    return len(known), items


@njit(cache=True, nogil=True)
def number_items(
    data: np.ndarray, offsets: np.ndarray, known: np.ndarray, delimiter: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Number the distinct items of cells in the order in which they are found; empty items are left out.

    Args:
        data: uint8, bytes of the cells in UTF-8.
        offsets: int32 or int64[rows + 1], where each cell begins in ``data``.
        known: bool[rows]; a cell that is not known has no items.
        delimiter: uint8, at least one byte.

    Returns:
        int32[tokens], the number of each row's items as they come, repeated ones too;
        int64[rows + 1], where each row begins in it;
        int64[items] and int64[items], where the first occurrence of each item begins in ``data``, and its length.

    """
    rows = len(known)
    tokens = np.empty(_count(data, offsets[0], offsets[rows], delimiter[0]) + rows, np.int32)
    row_starts = np.zeros(rows + 1, np.int64)
    starts, lengths, hashes = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint64)
    items, row = 0, 0
    while row < rows:
        room = items + _most_items(int(offsets[row + 1]) - int(offsets[row]), len(delimiter))
        table, starts, lengths, hashes = _larger_table(starts, lengths, hashes, items, max(room, 2 * items))
        row, items = _number_rows(
            row,
            data.ctypes.data,
            data.ctypes.data + len(data),
            offsets,
            known,
            delimiter.ctypes.data,
            len(delimiter),
            table,
            starts,
            lengths,
            hashes,
            items,
            tokens,
            row_starts,
        )
    return tokens[: row_starts[rows]], row_starts, starts[:items].copy(), lengths[:items].copy()


@njit(cache=True, nogil=True)
def count_records(
    tokens: np.ndarray, row_starts: np.ndarray, rows: int, name_of_item: np.ndarray, frequency: np.ndarray
) -> None:
    """Add to ``frequency`` (int64[names]) in how many of the first ``rows`` rows each name is found.

    ``name_of_item`` is int32[items], -1 where an item stands for no name.
    """
    last_row = np.full(len(frequency), -1, np.int64)
    for row in range(rows):
        for token in tokens[row_starts[row] : row_starts[row + 1]]:
            name = name_of_item[token]
            if name >= 0 and last_row[name] != row:
                last_row[name] = row
                frequency[name] += 1


@njit(cache=True, nogil=True)
def _sort(numbers: np.ndarray) -> None:
    if len(numbers) > _INSERTION_SORT_LIMIT:
        numbers.sort()
        return
    for k in range(1, len(numbers)):
        number, hole = numbers[k], k
        while hole > 0 and numbers[hole - 1] > number:
            numbers[hole] = numbers[hole - 1]
            hole -= 1
        numbers[hole] = number


@njit(cache=True, nogil=True)
def sort_rows(
    tokens: np.ndarray, row_starts: np.ndarray, column_of_item: np.ndarray, columns: int, row_lengths: np.ndarray
) -> tuple[int, int]:
    """Turn each row's items into its sorted, distinct columns, in the place of the tokens, row after row.

    Args:
        tokens: int32[tokens], overwritten: its beginning holds the columns.
        row_starts: int64[rows + 1].
        column_of_item: int32[items]; -1 where an item is no name, ``columns`` and above where its name is unseen.
        columns: number of the vocabulary's names.
        row_lengths: int64[rows], filled with the number of columns of each row.

    Returns:
        how many columns there are in all, and how many (row, unseen name) pairs.

    """
    kept, unseen = 0, 0
    for row in range(len(row_lengths)):
        first, named = row_starts[row], row_starts[row]
        for position in range(row_starts[row], row_starts[row + 1]):
            column = column_of_item[tokens[position]]
            tokens[named] = column
            named += column >= 0
        _sort(tokens[first:named])
        before, previous = kept, np.int32(-1)
        for position in range(first, named):
            column = tokens[position]
            if column != previous and column < columns:
                tokens[kept] = column
                kept += 1
            elif column != previous:
                unseen += 1
            previous = column
        row_lengths[row] = kept - before
    return kept, unseen
