"""A dataset: Parquet files, and what they mean; of one of three kinds."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from ..errors import InputError

RECORDS_FILE = "records.parquet"
DATASET_FILE = "dataset.json"
USERS_FILE, ITEMS_FILE = "users.parquet", "items.parquet"

Kind = Literal["records", "interactions", "ratings"]

Progress = Callable[[int, int], None]
"""Called with how many records are done and how many there are in all."""


@dataclass(frozen=True)
class Column:
    """A raw column beside identifier, technologies and label.

    Categorical columns are stored as strings, numeric ones as float64; both may hold nulls.
    """

    name: str
    kind: Literal["categorical", "numeric"]


@dataclass(frozen=True, kw_only=True)
class Dataset(ABC):
    """What datasets of all kinds have.

    kind: what the rows are, and so which stages can be measured on them (`Stage.kinds`).
    files: the Parquet files, in ``folder`` beside ``dataset.json``; the first holds the rows.
    records: number of rows.
    digest: SHA-256 of the one file, or of the digests of the files one after the other.
    source: where the data comes from and its licence, as a reader must see it.
    version: of the maker that made it (`Maker.version`).
    """

    kind: ClassVar[Kind]
    files: ClassVar[tuple[str, ...]]

    folder: Path
    name: str
    scale: float
    records: int
    digest: str
    source: str
    version: int = 1

    @property
    def path(self) -> Path:
        """The Parquet file of the rows."""
        return self.folder / RECORDS_FILE

    @property
    @abstractmethod
    def raw_columns(self) -> int:
        """Columns of the rows' file."""

    @abstractmethod
    def identity(self) -> list[Any]:
        """All that inputs made from the dataset depend on: its digest and how it is read; can be written as JSON."""

    def save(self) -> Self:
        """Write ``dataset.json`` beside the files, with their digest; return the completed dataset."""
        digests = [file_digest(self.folder / name) for name in self.files]
        digest = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
        complete = replace(self, digest=digest)
        content = {"kind": self.kind, **asdict(complete)}
        del content["folder"]
        (self.folder / DATASET_FILE).write_text(json.dumps(content, indent=1), encoding="utf-8")
        return complete

    @staticmethod
    def load(folder: Path) -> "Dataset":
        """Read what `save` wrote.

        Raises:
            InputError: the folder holds no dataset.

        """
        try:
            content = json.loads((folder / DATASET_FILE).read_text(encoding="utf-8"))
            of_kind = {each.kind: each for each in (RecordDataset, InteractionDataset, RatingDataset)}
            # What was kept before there were kinds are records.
            return of_kind[content.pop("kind", "records")].from_json(folder, content)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{folder}: no dataset, or a damaged one ({error}); make it again") from error


@dataclass(frozen=True, kw_only=True)
class RecordDataset(Dataset):
    """Records with technologies.

    identifier: column of unique, non-null strings.
    technologies: column of delimited strings; null means unknown, empty means none (see `technologies`).
    label: column of 0 and 1 (int8), or None where there is none.
    columns: the other columns, in the order of the file.
    training_records: the first so many records are known when vocabulary, categories and model are learned.
    model: file name, in ``folder``, of an XGBoost model of the user's own; None to train the default one.
    """

    kind = "records"
    files = (RECORDS_FILE,)

    delimiter: str
    identifier: str
    technologies: str
    label: str | None
    columns: tuple[Column, ...]
    training_records: int
    model: str | None = None

    @property
    def raw_columns(self) -> int:
        """Identifier, technologies, label if there is one, and the others."""
        return len(self.columns) + 2 + (self.label is not None)

    def identity(self) -> list[Any]:
        """Digests of a model of the user's own and of the records, roles and kinds of the columns, training records."""
        roles = [self.delimiter, self.identifier, self.technologies, self.label]
        columns = [(column.name, column.kind) for column in self.columns]
        own_model = file_digest(self.folder / self.model) if self.model else None
        return [own_model, self.digest, roles, columns, self.training_records]

    @classmethod
    def from_json(cls, folder: Path, content: dict[str, Any]) -> Self:
        """The dataset from the fields in ``dataset.json``."""
        columns = tuple(Column(**column) for column in content.pop("columns"))
        return cls(folder=folder, columns=columns, **content)


@dataclass(frozen=True, kw_only=True)
class InteractionDataset(Dataset):
    """What users did with items: one interaction per row; a pair may be in several rows.

    columns: of ``records.parquet``: ``user`` and ``item`` (int32, row numbers of ``users.parquet`` and
    ``items.parquet``), ``value`` (float32, how strong the interaction was) and ``timestamp`` (int64, seconds since
    1970 UTC) where there are such; no nulls. The other two files have a row per user and item: ``id`` (unique
    strings), of items also ``title`` (string) and ``genres`` (list of strings) where they are known.
    users, items: how many there are.
    """

    kind = "interactions"
    files = (RECORDS_FILE, USERS_FILE, ITEMS_FILE)

    columns: tuple[str, ...]
    users: int
    items: int

    @property
    def raw_columns(self) -> int:
        """User, item, and value and timestamp where there are such."""
        return len(self.columns)

    def identity(self) -> list[Any]:
        """The digest and the kind: the same files could hold values that are no ratings."""
        return [self.digest, self.kind]

    @classmethod
    def from_json(cls, folder: Path, content: dict[str, Any]) -> Self:
        """The dataset from the fields in ``dataset.json``."""
        return cls(folder=folder, columns=tuple(content.pop("columns")), **content)


@dataclass(frozen=True, kw_only=True)
class RatingDataset(InteractionDataset):
    """Interactions whose ``value`` is the rating that the user gave the item."""

    kind = "ratings"


@dataclass(frozen=True)
class Maker:
    """Makes one of the datasets that come with the suite.

    make(folder, scale, files, progress): writes the files of its ``kind`` into ``folder`` and returns the `Dataset`
    after its `Dataset.save`. ``files`` are the user's files where ``takes_files``, else empty.
    version: raised when the same arguments give other records, so that what an older version made is not taken for it.
    rows: number of rows at scale 1, which grows with the scale; None where only the dataset made tells.
    """

    name: str
    summary: str
    make: Callable[[Path, float, Sequence[Path], Progress], Dataset]
    scalable: bool = False
    takes_files: bool = False
    version: int = 1
    kind: Kind = "records"
    rows: int | None = None


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
