"""Real technographics, larger than the seed: what each package of a Debian release makes use of.

A record is a binary package. Its technologies are

- the packages named in `RELATIONS`: the name alone, without version, architecture qualifier (``python3:any`` is
  ``python3``) or field. Of alternatives, ``a | b``, each counts. ``Provides``, ``Conflicts``, ``Breaks`` and
  ``Replaces`` say what a package is or was, not what it uses, and are left out;
- its debtags, such as ``implemented-in::python``.

A package with none of them is known to have none. The delimiter is the comma, which neither a name nor a tag can hold:
Debian's own fields are separated by it.

The label is whether the Debian Med team maintains the package: software for medicine and the life sciences. The team is
recognised by its address in ``Original-Maintainer`` (where Ubuntu keeps Debian's maintainer) or else ``Maintainer``;
neither these fields nor parts of the package's own name are columns.

Where a package is in several indexes (of updates, of another architecture), the highest version wins, and among equals
the index whose file name comes first. Formats: Debian Policy, chapters 5 and 7; deb-version(7).

Debian 12, main, amd64: 63,436 records, 51,496 technologies, 453,993 non-zeros; 2.5 % positive. Two releases show what
items unseen in training do: of the non-zeros of Debian 13, 18.6 % are technologies that 12 has nowhere, and 34.9 % are
in fewer than 8 of its packages.
"""

import io
import lzma
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError
from ..technologies import join
from .dataset import RECORDS_FILE, Column, Maker, Progress, RecordDataset

APT_LISTS = Path("/var/lib/apt/lists")

DELIMITER = ","
RELATIONS = ("depends", "pre-depends", "recommends", "suggests", "enhances")
TEAM = "<debian-med-packaging@"
"""How the team's address begins; the host of the mailing lists changed between releases."""

REQUIRED = ("package", "version", "filename")
"""Fields of every package in an index; Sources files and dpkg's status file lack the last."""

CATEGORICAL = {"section": "section", "priority": "priority", "architecture": "architecture", "multi_arch": "multi-arch"}
NUMERIC = {"installed_size": "installed-size", "package_size": "size"}
"""Columns and their fields: installed_size in KiB, package_size in bytes."""

SCHEMA = pa.schema(
    [
        ("package", pa.string()),
        ("technologies", pa.string()),
        ("maintained_by_debian_med", pa.int8()),
        *((name, pa.string()) for name in CATEGORICAL),
        *((name, pa.float64()) for name in NUMERIC),
    ]
)
ROWS_AT_ONCE = 10_000

_CODECS = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "xz", b"\x04\x22\x4d\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstd"}
"""Compression by a file's first bytes."""

_INDEX_NAME = re.compile(r".+_Packages(\.(gz|xz|lz4|zst))?")
_FIELD = re.compile(r"([^\W\d_][^\s:]*):(.*)")
_NAME = re.compile(r"[^\s(\[<:]+")
_VERSION = re.compile(r"\A(?:([0-9]+):)?(.*?)(?:-([^-]*))?\Z", re.DOTALL)
_VERSION_PART = re.compile(r"([^0-9]*)([0-9]*)")


@dataclass(frozen=True, slots=True)
class Package:
    """One record, but for its identifier."""

    version: str
    technologies: str
    of_team: bool
    categorical: tuple[str | None, ...]
    numeric: tuple[float | None, ...]


def apt_indexes() -> list[Path]:
    """The package indexes that apt keeps on this machine, by file name.

    Raises:
        InputError: there is none.

    """
    found = sorted(path for path in APT_LISTS.glob("*") if _INDEX_NAME.fullmatch(path.name))
    if not found:
        raise InputError(
            f"{APT_LISTS}: apt has no package index here; run 'apt-get update' as root (on Debian or Ubuntu), or give a"
            " Packages file by its path, such as dists/bookworm/main/binary-amd64/Packages.xz of a Debian archive"
        )
    return found


@contextmanager
def _opened(path: Path) -> Iterator[Iterable[bytes]]:
    """The lines of an index, whatever compresses it: apt may keep its indexes in a format of its own choice."""
    with path.open("rb") as plain:
        start = plain.read(6)
        plain.seek(0)
        codec = next((codec for magic, codec in _CODECS.items() if start.startswith(magic)), None)
        if codec == "xz":
            with lzma.open(plain) as lines:
                yield lines
        elif codec:
            with pa.CompressedInputStream(plain, codec) as stream, io.BufferedReader(stream) as lines:
                yield lines
        else:
            yield plain


def stanzas(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The packages of an index, one at a time: the line where each begins, and its fields by lower-case name.

    The lines of a field are joined by newlines, without outer blanks.

    Raises:
        InputError: the file is missing, damaged, cut off, or no package index.

    """
    number, first, name = 0, 0, ""
    fields: dict[str, str] = {}
    try:
        with _opened(path) as lines:
            for number, line in enumerate(lines, 1):
                text = line.decode("utf-8").rstrip()
                if not text:
                    if fields:
                        yield first, _checked(path, first, fields)
                    fields = {}
                elif text[0] in " \t" and fields:
                    fields[name] += "\n" + text.strip()
                elif match := _FIELD.fullmatch(text):
                    first = first if fields else number
                    name = match[1].lower()
                    fields[name] = match[2].strip()
                else:
                    raise InputError(
                        f"{path}, line {number:,}: no 'Field: value'; damaged, or no Packages file of a Debian archive"
                    )
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}, line {number:,}: not UTF-8; damaged, or no Packages file of a Debian archive"
        ) from error
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise InputError(
            f"{path}: cannot be read to its end ({error}); check the path, or get the file again"
        ) from error
    if fields:
        yield first, _checked(path, first, fields)


def _checked(path: Path, line: int, fields: dict[str, str]) -> dict[str, str]:
    for field in REQUIRED:
        if not fields.get(field):
            raise InputError(
                f"{path}, line {line:,}: an entry without the field {field.title()!r}; the file is cut off, or it is no"
                " Packages file of a Debian archive (a Sources file and dpkg's status file are not)"
            )
    return fields


def relation_names(value: str) -> set[str]:
    """The package names in a relation field, every alternative among them."""
    items = value.replace("|", ",").split(",")
    return {match.group() for item in items if (match := _NAME.match(item.strip()))}


def tag_names(value: str) -> set[str]:
    """The debtags in a ``Tag`` field."""
    return {tag for item in value.split(",") if (tag := item.strip())}


def version_key(version: str) -> tuple[int, list, list]:
    """A key that sorts versions as dpkg does: ``~`` before the end, the end before letters, letters before the rest."""

    def order(character: str) -> int:
        return -1 if character == "~" else ord(character) if character.isalpha() else ord(character) + 0x110000

    def parts(text: str) -> list[tuple[tuple[int, ...], int]]:
        return [((*map(order, other), 0), int(digits or 0)) for other, digits in _VERSION_PART.findall(text)]

    epoch, upstream, revision = _VERSION.findall(version)[0]
    return int(epoch or 0), parts(upstream), parts(revision or "0")


def _package(fields: dict[str, str], place: str) -> Package:
    def number(field: str) -> float | None:
        value = fields.get(field) or None
        if value is not None and not (value.isascii() and value.isdecimal()):
            raise InputError(f"{place}: {field.title()} is {value!r}, not a whole number; get the file again")
        return None if value is None else float(value)

    names = tag_names(fields.get("tag", ""))
    for field in RELATIONS:
        names |= relation_names(fields.get(field, ""))
    return Package(
        version=fields["version"],
        technologies=join(sorted(names), DELIMITER),
        of_team=TEAM in (fields.get("original-maintainer") or fields.get("maintainer", "")).lower(),
        categorical=tuple(fields.get(field) or None for field in CATEGORICAL.values()),
        numeric=tuple(number(field) for field in NUMERIC.values()),
    )


def packages(indexes: Sequence[Path]) -> dict[str, Package]:
    """The packages of one release by name, in the order of the indexes.

    Raises:
        InputError: a file cannot be read as an index, or there is no package at all.

    """
    found: dict[str, Package] = {}
    for index in indexes:
        for line, fields in stanzas(index):
            name, package = fields["package"], _package(fields, f"{index}, line {line:,}")
            if name not in found or version_key(package.version) > version_key(found[name].version):
                found[name] = package
    if not found:
        raise InputError(f"{', '.join(map(str, indexes))}: no package in it; give a Packages file of a Debian archive")
    return found


def _tables(found: dict[str, Package], prefix: str) -> Iterator[pa.Table]:
    names, rows = list(found), list(found.values())
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        columns = [
            [prefix + name for name in names[start : start + ROWS_AT_ONCE]],
            [package.technologies for package in some],
            [int(package.of_team) for package in some],
            *zip(*(package.categorical + package.numeric for package in some), strict=True),
        ]
        yield pa.table([pa.array(each, kind) for each, kind in zip(columns, SCHEMA.types, strict=True)], schema=SCHEMA)


def make(folder: Path, scale: float, files: Sequence[Path], progress: Progress) -> RecordDataset:
    """Read apt's own indexes; or one Packages file; or an earlier and a later release's, to learn from the earlier.

    ``package`` is the identifier: the package's name, after ``earlier/`` or ``later/`` where there are two files.

    Raises:
        InputError: apt has no index here, a file is no package index, or the packages to learn from are all or none
            of them the team's.

    """
    if len(files) > 2:
        raise InputError(f"dataset 'debian': {len(files)} files; give one Packages file, or an earlier and a later one")
    releases = {"earlier/": [files[0]], "later/": [files[1]]} if len(files) == 2 else {"": files or apt_indexes()}
    found = {prefix: packages(indexes) for prefix, indexes in releases.items()}
    training, *_ = found.values()
    if len({package.of_team for package in training.values()}) < 2:
        raise InputError(
            f"{next(iter(releases.values()))[0]}: {len(training):,} packages, all or none of them maintained by Debian"
            " Med, so no label to learn; give the index of Debian's component 'main' or of Ubuntu's 'universe'"
        )
    records = sum(map(len, found.values()))
    done = 0
    with pq.ParquetWriter(folder / RECORDS_FILE, SCHEMA, compression="zstd") as writer:
        for prefix, release in found.items():
            for table in _tables(release, prefix):
                writer.write_table(table)
                done += table.num_rows
                progress(done, records)
    read = ", ".join(path.name for indexes in releases.values() for path in indexes)
    return RecordDataset(
        folder=folder,
        name="debian",
        scale=scale,
        delimiter=DELIMITER,
        identifier="package",
        technologies="technologies",
        label="maintained_by_debian_med",
        columns=(
            *(Column(name, "categorical") for name in CATEGORICAL),
            *(Column(name, "numeric") for name in NUMERIC),
        ),
        records=records,
        training_records=len(training),
        digest="",
        source=f"metadata of a Debian archive, read on this machine from {read}; not part of technobench",
    ).save()


MAKERS = (Maker("debian", "real: what the packages that apt knows here make use of", make, takes_files=True),)
