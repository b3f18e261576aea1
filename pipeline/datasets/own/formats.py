"""The formats of a user's file: told by its suffix or by the user, and opened as a `Source`."""

from pathlib import Path

from ...errors import InputError
from .csv_source import CsvSource
from .json_source import JsonLinesSource
from .read import ParquetSource, Source, checked_encoding

FORMATS = {
    "csv": (".csv",),
    "tsv": (".tsv", ".tab"),
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "parquet": (".parquet", ".pq"),
}
"""Formats, and the suffixes that tell them; a text file may have one of `COMPRESSED` after it."""

COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")


def opened(path: Path, kind: str | None = None, encoding: str | None = None, separator: str | None = None) -> Source:
    """The file, ready to be read.

    Args:
        path: the file.
        kind: one of `FORMATS`; None to tell by the suffix.
        encoding: of a text file; None for UTF-8.
        separator: between the cells of a CSV file; None for a comma.

    Raises:
        InputError: no such file, a format that cannot be told, an option that the format does not have, a bad header.

    """
    if not path.is_file():
        raise InputError(f"{path}: {'a folder' if path.is_dir() else 'no such file'}; name a file")
    kind = kind or format_by_suffix(path)
    if separator is not None and (kind != "csv" or len(separator) != 1 or separator in '"\r\n'):
        raise InputError(f"--separator {separator!r}: one character, between the cells of a CSV file only")
    if kind == "parquet":
        if encoding is not None:
            raise InputError(f"--encoding {encoding}: is for text files; leave it out for Parquet")
        return ParquetSource(path)
    encoding = checked_encoding(encoding or "utf-8")
    if kind == "jsonl":
        return JsonLinesSource(path, encoding)
    return CsvSource(path, "\t" if kind == "tsv" else separator or ",", encoding)


def format_by_suffix(path: Path) -> str:
    """One of `FORMATS`.

    Raises:
        InputError: the suffix is none of theirs.

    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    for name, known in FORMATS.items():
        if suffixes and suffixes[-1] in known:
            return name
    known = ", ".join(suffix for of_format in FORMATS.values() for suffix in of_format)
    raise InputError(f"{path}: the suffix is none of {known}; name the format with --format")
