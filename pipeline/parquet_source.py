"""How Parquet files are read in parts, and how it is said that one cannot be."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from .errors import InputError

BYTES_AT_A_TIME = 1 << 20
"""Bytes of a column that are read at a time, so that a row group of any size takes no more memory."""


@contextmanager
def errors_named(where: Path | str) -> Iterator[None]:
    """Say of what goes wrong in the block which file it was.

    Raises:
        InputError: the file is missing, damaged or no Parquet file.

    """
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{where}: no such file") from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{where}: cannot be read as Parquet ({reason}); write it again") from error
