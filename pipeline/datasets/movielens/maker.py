"""Makes datasets of ratings from MovieLens as published."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from ...errors import InputError
from ..dataset import Maker, Progress, RatingDataset
from ..interaction_file import write_ids, write_rows
from .archive import checked
from .read import read_films, read_ratings
from .releases import PLACE, RELEASES, Release


def make(release: Release, folder: Path, scale: float, files: Sequence[Path], progress: Progress) -> RatingDataset:
    """Read the zip or folder; rows stay in the order of the file, users and items are in the order of their numbers.

    Raises:
        InputError: no file was given, or it is not the release as published.

    """
    if len(files) != 1:
        raise InputError(
            f"dataset '{release.name}' is not part of technobench: give your copy of it, the zip as published or the"
            f" folder in it ('technobench data make {release.name} {release.name}.zip'), or get it with 'technobench"
            f" data fetch {release.name}'"
        )
    path = files[0]
    assurance = checked(path, release)
    ratings = read_ratings(path, release)
    progress(release.ratings, release.ratings)
    user_numbers, users = np.unique(ratings["user"], return_inverse=True)
    item_numbers, items = np.unique(ratings["item"], return_inverse=True)
    for what, found, published in (
        ("users", len(user_numbers), release.users),
        ("items", len(item_numbers), release.items),
    ):
        if found != published:
            raise InputError(f"{path}: ratings of {found:,} {what}, and {published:,} as published; get it again")
    columns = ("user", "item", "value", "timestamp")
    write_rows(folder, columns, [(users, items, ratings["value"], ratings["timestamp"])])
    write_ids(folder, pa.table({"id": _ids(user_numbers)}), _items(path, release, item_numbers))
    return RatingDataset(
        folder=folder,
        name=release.name,
        scale=scale,
        records=release.ratings,
        columns=columns,
        users=release.users,
        items=release.items,
        digest="",
        source=(
            f"{release.title}, by GroupLens ({PLACE}{release.readme}), read from {path.name}, {assurance}; no"
            f" commercial use, {release.redistribution}; not part of technobench"
        ),
    ).save()


def _items(path: Path, release: Release, numbers: np.ndarray) -> pa.Table:
    films = read_films(path, release)
    if lacking := set(numbers.tolist()) - set(films):
        raise InputError(f"{path}, {release.items_file}: film {min(lacking)} is not there, but rated; get it again")
    titles, genres = zip(*(films[number] for number in numbers.tolist()), strict=True)
    return pa.table(
        {"id": _ids(numbers), "title": pa.array(titles, pa.string()), "genres": pa.array(genres, pa.list_(pa.string()))}
    )


def _ids(numbers: np.ndarray) -> pa.Array:
    return pa.array(numbers).cast(pa.string())


MAKERS = tuple(
    Maker(
        release.name,
        f"real: {release.title}, {release.ratings:,} ratings, from your own copy or 'data fetch'",
        partial(make, release),
        takes_files=True,
        kind="ratings",
    )
    for release in RELEASES.values()
)
