"""A dataset: records in a Parquet file, and what each column means."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from ..errors import InputError

RECORDS_FILE = "records.parquet"
DATASET_FILE = "dataset.json"

Progress = Callable[[int, int], None]
"""Called with how many records are done and how many there are in all."""


@dataclass(frozen=True)
class Column:
    """A raw column beside identifier, technologies and label.

    Categorical columns are stored as strings, numeric ones as float64; both may hold nulls.
    """

    name: str
    kind: Literal["categorical", "numeric"]


@dataclass(frozen=True)
class Dataset:
    """Records and their meaning.

    folder: holds ``records.parquet`` and ``dataset.json``.
    identifier: column of unique, non-null strings.
    technologies: column of delimited strings; null means unknown, empty means none (see `technologies`).
    label: column of 0 and 1 (int8), or None where there is none.
    columns: the other columns, in the order of the file.
    records: number of rows.
    training_records: the first so many records are known when vocabulary, categories and model are learned.
    digest: SHA-256 of ``records.parquet``.
    source: where the data comes from and its licence, as a reader must see it.
    version: of the maker that made it (`Maker.version`).
    model: file name, in ``folder``, of an XGBoost model of the user's own; None to train the default one.
    """

    folder: Path
    name: str
    scale: float
    delimiter: str
    identifier: str
    technologies: str
    label: str | None
    columns: tuple[Column, ...]
    records: int
    training_records: int
    digest: str
    source: str
    model: str | None = None
    version: int = 1

    @property
    def path(self) -> Path:
        """The Parquet file of the records."""
        return self.folder / RECORDS_FILE

    def save(self) -> "Dataset":
        """Write ``dataset.json`` beside the records, with the digest of the records; return the completed dataset."""
        complete = replace(self, digest=file_digest(self.path))
        content = {key: value for key, value in asdict(complete).items() if key != "folder"}
        (self.folder / DATASET_FILE).write_text(json.dumps(content, indent=1), encoding="utf-8")
        return complete

    @classmethod
    def load(cls, folder: Path) -> "Dataset":
        """Read what `save` wrote.

        Raises:
            InputError: the folder holds no dataset.

        """
        try:
            content = json.loads((folder / DATASET_FILE).read_text(encoding="utf-8"))
            columns = tuple(Column(**column) for column in content.pop("columns"))
            return cls(folder=folder, columns=columns, **content)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"{folder}: no dataset, or a damaged one ({error}); make it again") from error


@dataclass(frozen=True)
class Maker:
    """Makes one of the datasets that come with the suite.

    make(folder, scale, files, progress): writes ``records.parquet`` into ``folder`` and returns the `Dataset` after
    its `Dataset.save`. ``files`` are the user's files where ``takes_files``, else empty.
    version: raised when the same arguments give other records, so that what an older version made is not taken for it.
    """

    name: str
    summary: str
    make: Callable[[Path, float, Sequence[Path], Progress], Dataset]
    scalable: bool = False
    takes_files: bool = False
    version: int = 1


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
