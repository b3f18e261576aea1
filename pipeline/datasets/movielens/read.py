"""The files of a release: ratings to arrays, titles and genres to a table; each of the three formats as published."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from ...errors import InputError
from .archive import opened
from .releases import Release

GENRES_100K = (
    *(
        "unknown",
        "Action",
        "Adventure",
        "Animation",
        "Children's",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Fantasy",
    ),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
"""In the order of the last 19 columns of ``u.item``, as ``u.genre`` has them."""

_NO_GENRE = {"unknown", "(no genres listed)"}
_TYPES = {"user": pa.int32(), "item": pa.int32(), "value": pa.float32(), "timestamp": pa.int64()}

Film = tuple[str, list[str]]
"""Title and genres."""


def read_ratings(path: Path, release: Release) -> dict[str, np.ndarray]:
    """User and item (int32, the release's own numbers), value (float32) and timestamp (int64), in the file's order.

    Raises:
        InputError: the file is damaged, cut off or of another release; says where.

    """
    name = release.ratings_file
    where = f"{path}, {name}"
    columns: dict[str, list[np.ndarray]] = {column: [] for column in _TYPES}
    with opened(path, release, name) as content:
        try:
            for batch in _ratings_reader(content, name):
                if any(column.null_count for column in batch.columns):
                    raise InputError(f"{where}: a rating lacks a number; get {release.name}.zip again")
                for column, array in zip(columns, batch.columns, strict=True):
                    columns[column].append(array.to_numpy())
        except pa.ArrowInvalid as error:
            raise InputError(f"{where}: not as published ({error}); get {release.name}.zip again") from error
    count = sum(map(len, columns["value"]))
    if count != release.ratings:
        raise InputError(f"{where}: {count:,} ratings, and {release.ratings:,} as published; get it again")
    ratings = {column: np.concatenate(parts) for column, parts in columns.items()}
    steps = ratings["value"] / release.step
    wrong = np.flatnonzero((steps != np.rint(steps)) | (steps < 1) | (ratings["value"] > 5))
    if len(wrong):
        raise InputError(
            f"{where}: rating number {wrong[0] + 1:,} is of {ratings['value'][wrong[0]]:g} stars; get it again"
        )
    return ratings


def _ratings_reader(content: IO[bytes], name: str) -> pa_csv.CSVStreamingReader:
    delimiter = "," if name.endswith(".csv") else "\t"
    if name.endswith(".dat"):
        content = io.BytesIO(content.read().replace(b"::", b"\t"))
    return pa_csv.open_csv(
        content,
        # In order and with numbers of rows in messages; the header of the CSV files is known.
        read_options=pa_csv.ReadOptions(
            use_threads=False, column_names=list(_TYPES), skip_rows=1 if delimiter == "," else 0
        ),
        parse_options=pa_csv.ParseOptions(delimiter=delimiter, quote_char=False),
        convert_options=pa_csv.ConvertOptions(column_types=_TYPES),
    )


def read_films(path: Path, release: Release) -> dict[int, Film]:
    """Title and genres by the release's own number of the film.

    Raises:
        InputError: a line is not as published; says after which film.

    """
    name = release.items_file
    films: dict[int, Film] = {}
    with opened(path, release, name) as content:
        # Titles of the older releases are in Latin-1, though their README does not say so.
        encoding = "utf-8" if name.endswith(".csv") else "iso-8859-1"
        text = io.TextIOWrapper(content, encoding=encoding, newline="")
        try:
            for number, title, genres in _films(text, name):
                films[int(number)] = title, [genre for genre in genres if genre not in _NO_GENRE]
        except (ValueError, csv.Error) as error:
            after = f"after film {list(films)[-1]}" if films else "at its beginning"
            raise InputError(f"{path}, {name}: {after}, not as published ({error}); get it again") from error
    return films


def _films(text: io.TextIOWrapper, name: str) -> Iterator[tuple[str, str, list[str]]]:
    """Number, title and genres of each line; ValueError where it has other parts."""
    if name.endswith(".csv"):
        rows = csv.reader(text, strict=True)
        next(rows, None)
        for number, title, genres in rows:
            yield number, title, genres.split("|")
    elif name.endswith(".dat"):
        for line in text:
            number, title, genres = line.rstrip("\r\n").split("::")
            yield number, title, genres.split("|")
    else:
        for line in text:
            if not line.strip():  # the published file ends with an empty line
                continue
            number, title, _, _, _, *flags = line.rstrip("\r\n").split("|")
            yield number, title, [genre for genre, flag in zip(GENRES_100K, flags, strict=True) if flag == "1"]
