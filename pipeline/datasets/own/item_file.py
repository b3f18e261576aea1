"""What a user knows of the items of interactions: a small file with a row per item, held in memory."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ...errors import InputError
from . import convert, interaction_cells
from .formats import opened
from .read import BadCell, Source, no_records
from .survey import located


@dataclass(frozen=True)
class KnownItems:
    """Titles and genres by id, of the file at ``path``; None where it has no such column."""

    path: Path
    titles: dict[str, str | None] | None
    genres: dict[str, list[str]] | None

    def of(self, ids: Sequence[str]) -> pa.Table:
        """``id``, ``title`` and ``genres`` of the items; null and no genres where the file does not have the item.

        Raises:
            InputError: it has none of them.

        """
        known = self.titles or self.genres or {}
        if not any(one in known for one in ids):
            raise InputError(
                f"{self.path}: its ids, as {next(iter(known))!r}, are none of the items, as {ids[0]!r}; "
                "write the same ids in both files"
            )
        columns: dict[str, pa.Array] = {"id": pa.array(ids, pa.string())}
        if self.titles is not None:
            columns["title"] = pa.array([self.titles.get(one) for one in ids], pa.string())
        if self.genres is not None:
            columns["genres"] = pa.array([self.genres.get(one, []) for one in ids], pa.list_(pa.string()))
        return pa.table(columns)


def known_items(path: Path) -> KnownItems:
    """Read a file with the columns ``id`` and ``title``, ``genres`` or both, in any of `formats.FORMATS`.

    Genres are lists, JSON lists or text with ``|`` between them.

    Raises:
        InputError: the file or a cell cannot be used, a column is missing, or an id repeats.

    """
    source = opened(path)
    names = [name for name in ("title", "genres") if name in source.names]
    if "id" not in source.names:
        raise source.missing("id", "the items")
    if not names:
        raise source.missing("title", "the items, nor 'genres'")
    columns: dict[str, list] = {name: [] for name in ("id", *names)}
    rows = 0
    for batch in source.batches(list(columns)):
        for name, found in columns.items():
            try:
                found += _VALUES[name](batch.column(name))
            except BadCell as bad:
                raise located(bad, source, rows, name) from None
        rows += batch.num_rows
    if rows == 0:
        raise no_records(path)
    _check_unique(source, columns["id"])
    by_id = {name: dict(zip(columns["id"], columns[name], strict=True)) for name in names}
    return KnownItems(path, by_id.get("title"), by_id.get("genres"))


def _genres(array: pa.Array) -> list[list[str]]:
    if convert.is_list(array.type):
        if not convert.is_text(array.type.value_type) and not pa.types.is_null(array.type.value_type):
            raise BadCell(None, f"holds lists of {array.type.value_type}; genres are text")
        cells = array.to_pylist()
    else:
        cells = [_listed(cell or "") for cell in convert.text(array).to_pylist()]
    return [list(dict.fromkeys(name for name in cell or [] if name)) for cell in cells]


def _listed(cell: str) -> list[str]:
    if cell.lstrip().startswith("["):
        try:
            found = json.loads(cell)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list) and all(isinstance(name, str) for name in found):
            return found
    return [name.strip() for name in cell.split("|")]


_VALUES: dict[str, Callable[[pa.Array], list]] = {
    "id": lambda array: interaction_cells.ids(array).to_pylist(),
    "title": lambda array: convert.text(array).to_pylist(),
    "genres": _genres,
}


def _check_unique(source: Source, ids: Sequence[str]) -> None:
    repeated, count = Counter(ids).most_common(1)[0]
    if count > 1:
        places = source.places([row for row, one in enumerate(ids) if one == repeated][:2])
        raise InputError(f"{source.path}, column 'id': {repeated!r} is in {' and '.join(places)}; keep one of them")
