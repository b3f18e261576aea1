"""Precomputed recommendations: retrieval by a hash map, nothing is computed."""

from collections.abc import Hashable, Iterator, Mapping, Sequence

import numpy as np

from ..pipeline.errors import InputError


class RecommendationLists(Mapping[Hashable, np.ndarray]):
    """From a user's id to int32[at most k], the items recommended, the best first; read-only.

    A list of no items is an empty array; an id that is not there is a KeyError. *Memory*: 4 k bytes a user for the
    lists, and for each id a view of its list and a place in a dict, about 250 bytes.
    """

    def __init__(self, items: np.ndarray, users: Sequence[Hashable] | None = None) -> None:
        """Take int32[n, k], lists by rank with -1 where they have ended, and the users' ids; without them 0 to n - 1.

        Raises:
            InputError: there are not as many ids as lists, or an id is there twice.

        """
        ids = range(len(items)) if users is None else users
        if len(ids) != len(items):
            raise InputError(f"{len(ids)} users for {len(items)} lists; give one id for each list")
        kept = np.array(items, np.int32, order="C")
        kept.flags.writeable = False
        lengths = np.count_nonzero(kept >= 0, axis=1).tolist()
        self._lists = {user: row[:length] for user, row, length in zip(ids, kept, lengths, strict=True)}
        if len(self._lists) != len(kept):
            raise InputError(f"{len(kept) - len(self._lists)} ids of users are there twice; each must be unique")

    def __getitem__(self, user: Hashable) -> np.ndarray:
        return self._lists[user]

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._lists)

    def __len__(self) -> int:
        return len(self._lists)
