"""A dataset of interactions or ratings from the user's own file, read once, in batches.

Users and items are numbered as they come. Memory holds what reading does (`add`), `interaction_file.ROWS_AT_ONCE` rows,
and each different id once, about 150 bytes for ids of ten characters. A pair may be in several rows, and all are kept:
what that means is for a stage to say.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from ...errors import InputError
from ...home import new_folder
from ..catalogue import own_folder
from ..dataset import InteractionDataset, Progress, RatingDataset
from ..interaction_file import write_ids, write_rows
from . import interaction_cells
from .formats import opened
from .item_file import known_items
from .read import BadCell, Source, no_records
from .survey import located


@dataclass(frozen=True)
class OwnInteractions:
    """What the user asks for: a file, the name to keep it under, and what its columns are; other columns are not read.

    user, item: columns of ids.
    value: column of strengths; None where each row counts 1. rating: column of ratings, which makes the dataset one of
    ratings. There is one of them at most.
    timestamp: column of times; None where they are not known.
    items: a file of what is known of the items (`item_file`).
    format, encoding, separator: of ``file``, as `opened` takes them.
    replace: whether a dataset of that name may be replaced.
    """

    file: Path
    name: str
    user: str
    item: str
    value: str | None = None
    rating: str | None = None
    timestamp: str | None = None
    items: Path | None = None
    format: str | None = None
    encoding: str | None = None
    separator: str | None = None
    replace: bool = False

    def by_role(self) -> dict[str, str]:
        """Columns of the file by role, in the order that they are kept in.

        Raises:
            InputError: a column has two roles, or there are both values and ratings.

        """
        if self.value is not None and self.rating is not None:
            raise InputError("--value and --rating: interactions have a value, ratings a rating; name one of them")
        named = [(role, getattr(self, role)) for role in ("user", "item", "value", "rating", "timestamp")]
        roles = {role: column for role, column in named if column is not None}
        for role, column in roles.items():
            first = next(other for other, same in roles.items() if same == column)
            if first != role:
                raise InputError(f"column {column!r} is named for {first} and for {role}; name it once")
        return roles


class Numbering:
    """Ids as numbers from 0, in the order in which they come first."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def numbered(self, ids: pa.Array) -> np.ndarray:
        """int32[n]: the number of each id; new ones get the next."""
        encoded = ids.dictionary_encode()
        known = self._numbers
        numbers = [known.setdefault(one, len(known)) for one in encoded.dictionary.to_pylist()]
        return np.array(numbers, np.int32)[encoded.indices.to_numpy()]

    def ids(self) -> list[str]:
        """The ids, each in the place of its number."""
        return list(self._numbers)


def add_interactions(own: OwnInteractions, progress: Progress) -> InteractionDataset:
    """Read the file, check it and keep it as a dataset, whole or not at all.

    Args:
        own: what to read.
        progress: called with the rows done and 0, since they are not counted before.

    Raises:
        InputError: anything about the files that the user can mend.

    """
    folder = own_folder(own.name, own.replace)
    roles = own.by_role()
    source = opened(own.file, own.format, own.encoding, own.separator)
    for role, column in roles.items():
        if column not in source.names:
            raise source.missing(column, role)
    known = None if own.items is None else known_items(own.items)
    users, items = Numbering(), Numbering()
    rows = 0

    def chunks() -> Iterator[Sequence[np.ndarray]]:
        nonlocal rows
        for batch in source.batches(list(roles.values())):
            yield [_array(role, batch, source, rows, users, items) for role in roles.items()]
            rows += batch.num_rows
            progress(rows, 0)

    columns = tuple("value" if role == "rating" else role for role in roles)
    with new_folder(folder, replace_old=own.replace) as target:
        write_rows(target, columns, chunks())
        if rows == 0:
            raise no_records(own.file)
        item_ids = items.ids()
        of_items = pa.table({"id": pa.array(item_ids, pa.string())}) if known is None else known.of(item_ids)
        write_ids(target, pa.table({"id": pa.array(users.ids(), pa.string())}), of_items)
        dataset = (RatingDataset if own.rating is not None else InteractionDataset)(
            folder=target,
            name=own.name,
            scale=1.0,
            records=rows,
            columns=columns,
            users=len(users),
            items=len(items),
            digest="",
            source=f"your own data, from {own.file.name}; under whatever licence you have it",
        ).save()
    return replace(dataset, folder=folder)


def _array(
    role: tuple[str, str], batch: pa.RecordBatch, source: Source, first: int, users: Numbering, items: Numbering
) -> np.ndarray:
    """One column of a batch that begins with row ``first`` of the file, as it is kept."""
    name, column = role
    array = batch.column(column)
    try:
        if name in ("user", "item"):
            return (users if name == "user" else items).numbered(interaction_cells.ids(array))
        if name == "timestamp":
            return interaction_cells.seconds(array)
        return interaction_cells.ratings(array) if name == "rating" else interaction_cells.strengths(array)
    except BadCell as bad:
        raise located(bad, source, first, column) from None
