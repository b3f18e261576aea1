"""The `planted` dataset: synthetic implicit feedback of the shape of MovieLens, with a low-rank structure in it.

At scale 1: 6,040 users, 3,706 items, 1,000,000 interactions, each pair at most once. Users and interactions grow with
the scale, items with its root above 1, as they do from MovieLens 1M to 20M; scale 100 has 100 million interactions.

*Structure.* A user likes some of 32 topics, a topic some of the items: user u's next item is i with probability
proportional to sum over k of likes[u, k] appeal[k, i], a matrix of rank 32, among the items that u does not have yet.
*Popularity.* A topic's appeal is a power law of the item's rank (Zipf-Mandelbrot) times the topic's own taste. How many
items a user has is 20 and a Lomax number, a power law too, and at most a fifth of the items.
*Genres.* An item's are one to three topics, those that like it most, seen through noise.

Users are drawn in blocks, each from a random stream of its own, so that memory does not grow with the interactions and
a block is the same whatever was drawn before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import InputError
from .dataset import InteractionDataset, Maker, Progress
from .interaction_file import numbered, write_ids, write_rows
from .streams import Stream, WeightedChoice

USERS, ITEMS, INTERACTIONS = 6_040, 3_706, 1_000_000
TOPICS = 32
TOPIC_NAMES = tuple(f"topic-{topic:02d}" for topic in range(TOPICS))
BLOCK = 1_024
FEWEST = 20
SOURCE = "Synthetic, drawn by technobench from a fixed seed: no person in it exists. No licence needed."

_LOMAX_SHAPE = 3.0
"""With it the mean is 1.9 times the median above `FEWEST`, as in MovieLens 1M."""
_MOST_OF_CATALOGUE = 5
_RANK_OFFSET, _RANK_EXPONENT = 200.0, 2.0
_TOPIC_SPREAD, _USER_SPREAD = 2.5, 3.0
_GENRE_NOISE = 0.5


@dataclass(frozen=True)
class Planted:
    """The generator of one scale: how many users, items and interactions there are, and each user's share of them."""

    users: int
    items: int
    interactions: int

    @classmethod
    def of_scale(cls, scale: float) -> "Planted":
        """The numbers of a scale.

        Raises:
            InputError: not one user is left.

        """
        users = round(USERS * scale)
        if users < 1:
            raise InputError(f"--scale {scale:g}: no user of dataset 'planted' is left; use {1 / USERS:.1g} or more")
        return cls(users, round(ITEMS * max(1.0, scale) ** 0.5), round(INTERACTIONS * users / USERS))

    @cached_property
    def activity(self) -> NDArray[np.int64]:
        """How many items each user has, (users,), adding up to all interactions."""
        tail = Stream(10).uniform(self.users) ** (-1 / _LOMAX_SHAPE) - 1
        most = self.items // _MOST_OF_CATALOGUE

        def counts(width: float) -> NDArray[np.int64]:
            return np.minimum(FEWEST + np.floor(width * tail), most).astype(np.int64)

        low, high = 0.0, 1.0
        while counts(high).sum() < self.interactions:
            high *= 2
        for _ in range(60):
            width = (low + high) / 2
            low, high = (width, high) if counts(width).sum() < self.interactions else (low, width)
        # All but a handful are there below the width that gives too many; the rest go to the first who have room.
        found = counts(low)
        while lacking := self.interactions - int(found.sum()):
            found[np.flatnonzero(found < most)[:lacking]] += 1
        return found

    @cached_property
    def _ranks_and_tastes(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Popularity rank of each item, (items,), and how much a topic likes it, (TOPICS, items), normal."""
        stream = Stream(10, 1)
        return np.argsort(stream.uniform(self.items)), stream.normal(TOPICS, self.items)

    @cached_property
    def appeal(self) -> WeightedChoice:
        """Picks an item of a topic."""
        rank, taste = self._ranks_and_tastes
        return WeightedChoice(np.exp(_TOPIC_SPREAD * taste) * np.power(rank + _RANK_OFFSET, -_RANK_EXPONENT))

    def genres(self) -> list[list[str]]:
        """One to three topics of each item, ascending: those that like it most, seen through noise."""
        stream = Stream(12)
        _, taste = self._ranks_and_tastes
        seen = taste + _GENRE_NOISE * stream.normal(*taste.shape)
        order = np.argsort(-seen, axis=0)[:3].T
        count = 1 + stream.index(3, self.items)
        return [sorted(TOPIC_NAMES[topic] for topic in row[:some]) for row, some in zip(order, count, strict=True)]

    def block(self, start: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """User and item of every interaction of the users from ``start``, a multiple of `BLOCK`; by user, then item.

        An item that the user has is drawn again, which is sampling without replacement, one after the other.
        """
        lacking = self.activity[start : start + BLOCK]
        stream = Stream(11, start // BLOCK)
        likes = WeightedChoice(np.exp(_USER_SPREAD * stream.normal(len(lacking), TOPICS)))
        pairs = np.empty(0, np.int64)
        while lacking.any():
            users = np.repeat(np.arange(len(lacking)), lacking)
            items = self.appeal.draw(likes.draw(users, stream), stream)
            pairs = np.concatenate([pairs, np.sort(users * self.items + items)])
            pairs.sort(kind="stable")  # merges two sorted runs
            pairs = pairs[np.diff(pairs, prepend=-1) > 0]
            owned = np.bincount(pairs // self.items, minlength=len(lacking))
            lacking = self.activity[start : start + BLOCK] - owned
        users, items = np.divmod(pairs, self.items)
        return start + users, items


def make(folder: Path, scale: float, files: Sequence[Path], progress: Progress) -> InteractionDataset:
    """Draw and write block after block."""
    planted = Planted.of_scale(scale)

    def blocks() -> Iterator[Sequence[NDArray]]:
        done = 0
        for start in range(0, planted.users, BLOCK):
            users, items = planted.block(start)
            yield users, items
            done += len(users)
            progress(done, planted.interactions)

    columns = ("user", "item")
    write_rows(folder, columns, blocks())
    genres = pa.array(planted.genres(), pa.list_(pa.string()))
    write_ids(folder, numbered("u", planted.users), numbered("i", planted.items).append_column("genres", genres))
    return InteractionDataset(
        folder=folder,
        name="planted",
        scale=scale,
        records=planted.interactions,
        columns=columns,
        users=planted.users,
        items=planted.items,
        digest="",
        source=SOURCE,
    ).save()


MAKERS = (
    Maker(
        "planted",
        "synthetic interactions of MovieLens's shape with planted tastes; scale 100 has 100 million",
        make,
        scalable=True,
        version=2,
        kind="interactions",
        rows=INTERACTIONS,
    ),
)
