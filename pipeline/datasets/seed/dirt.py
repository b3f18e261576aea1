"""The dirt of `seed-dirty`: the same technologies, spelled and listed as untidy sources do."""

import unicodedata
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..streams import Stream

_NULL_CELLS = 0.01
_SPELLED_OTHERWISE, _REPEATED = 0.20, 0.05
_ONE_EMPTY_ITEM, _TWO_EMPTY_ITEMS = 0.06, 0.02
# The first is the clean one; all of them are the same name after `technologies.normalise`.
_SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    str.upper,
    str.lower,
    str.swapcase,
    lambda name: f" {name}",
    lambda name: f"{name}  ",
    lambda name: f"\t{name}\u00a0",
    lambda name: unicodedata.normalize("NFD", name),
)


class Dirt:
    """Makes batches of technologies dirty.

    names: the clean names, by position.
    """

    def __init__(self, names: Sequence[str]) -> None:
        # An empty item is one name more: the empty one, in all of its spellings.
        self._empty = len(names)
        self._spelled = pa.array([spell(name) for name in (*names, "") for spell in _SPELLINGS], pa.string())

    def items(
        self, records: NDArray[np.int64], technologies: NDArray[np.int64], count: int, stream: Stream
    ) -> tuple[NDArray[np.int64], pa.Array]:
        """Each item's record, int64 of shape (items,), and its text, as many: what was given, and the dirt.

        records, technologies: int64, (clean items,): record within the batch of ``count``, and position of the name.
        """
        repeated = stream.uniform(len(records)) < _REPEATED
        chance = stream.uniform(count)
        empty = np.repeat(np.arange(count), (chance < _ONE_EMPTY_ITEM).astype(np.int64) + (chance < _TWO_EMPTY_ITEMS))
        records = np.concatenate([records, records[repeated], empty])
        technologies = np.concatenate([technologies, technologies[repeated], np.full(len(empty), self._empty)])
        otherwise = stream.uniform(len(records)) < _SPELLED_OTHERWISE
        spelling = np.where(otherwise, stream.index(len(_SPELLINGS), len(records)), 0)
        return records, self._spelled.take(pa.array(technologies * len(_SPELLINGS) + spelling))

    def null_cells(self, count: int, stream: Stream) -> NDArray[np.bool_]:
        """Which of ``count`` records have a null cell."""
        return stream.uniform(count) < _NULL_CELLS
