"""What a technology's name is, the same for every variant, and the vocabulary of names.

A cell holds one record's technologies as a delimited string.

- A null cell means *unknown*: nobody looked. Any other cell is known; ``""``, ``"|"`` and ``"a||b"`` hold empty items,
  which are no technology, so a known record may have none.
- A name is an item without outer blanks, compared without regard to case (`normalise`). Nothing else is removed:
  ``C++``, ``Node.js`` and ``R`` are three names, and ``R`` is not part of ``Ruby``.
- An item repeated within a record counts once.
- The vocabulary holds the names found in at least ``min_frequency`` *training* records, in order of code points.
- A name outside of the vocabulary is *unseen*: it has no column, and is counted.
"""

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError
from .home import new_file

NORMALISER = "nfc-casefold-strip/1"


def normalise(item: str) -> str:
    """The name that an item stands for; empty where it stands for none. Normalising a name changes nothing.

    Canonical caseless matching (Unicode Standard, section 3.13, D145), composed (NFC), without outer white space as
    `str.strip` knows it.
    """
    if item.isascii():
        return item.strip().lower()
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", item).casefold())
    return unicodedata.normalize("NFC", folded).strip()


@dataclass(frozen=True)
class Vocabulary:
    """Names of the columns of a technology matrix.

    names: distinct, normalised, in order of code points.
    delimiter: what separates items in a cell.
    """

    names: tuple[str, ...]
    delimiter: str

    @property
    def digest(self) -> str:
        """SHA-256 over the normaliser's version, the delimiter and the names: equal only for equal columns."""
        content = json.dumps([NORMALISER, self.delimiter, self.names], ensure_ascii=False)
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        content = {
            "normaliser": NORMALISER,
            "delimiter": self.delimiter,
            "names": self.names,
            "sha256": self.digest,
        }
        with new_file(path) as written:
            written.write_text(json.dumps(content, ensure_ascii=True), encoding="ascii")

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what `save` wrote.

        Raises:
            InputError: the file is no vocabulary, is damaged, or was made by another normaliser.

        """
        try:
            content = json.loads(path.read_bytes())
            names, delimiter, normaliser = content["names"], content["delimiter"], content["normaliser"]
            stated = content["sha256"]
            if not isinstance(delimiter, str) or not all(isinstance(name, str) for name in names):
                raise TypeError("names and delimiter must be strings")
        except FileNotFoundError:
            raise InputError(f"{path}: no such vocabulary file") from None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not a vocabulary file ({error}); save it again") from error
        if normaliser != NORMALISER:
            raise InputError(f"{path}: made by normaliser {normaliser!r}, this is {NORMALISER!r}; build it again")
        vocabulary = cls(tuple(names), delimiter)
        if vocabulary.digest != stated:
            raise InputError(f"{path}: the names do not match their SHA-256, the file is damaged; save it again")
        return vocabulary


def items(cell: str | None, delimiter: str) -> set[str]:
    """The distinct names in one cell."""
    return {name for item in (cell or "").split(delimiter) if (name := normalise(item))}


class NameOfItem(dict[str, str]):
    """Names by item, each normalised once: real data repeats few distinct items many times."""

    def __missing__(self, item: str) -> str:
        name = self[item] = normalise(item)
        return name


def join(names: Sequence[str], delimiter: str) -> str:
    """One cell from names.

    Raises:
        InputError: a name holds the delimiter.

    """
    for name in names:
        if delimiter in name:
            raise InputError(f"technology {name!r} holds the delimiter {delimiter!r}; choose another delimiter")
    return delimiter.join(names)
