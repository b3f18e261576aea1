"""A release where the user has it: the zip as published, never unpacked to disk, or the folder that was in it."""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ...errors import InputError
from .releases import Release

_MOST_BYTES_PER_RATING = 64
"""No file of a release is larger; what says that it is would only fill memory."""


def checked(path: Path, release: Release) -> str:
    """How it was made sure that ``path`` holds the release as published, as far as that can be.

    Raises:
        InputError: no such file or folder, or a checksum differs from the published one.

    """
    again = f"get {release.name}.zip again from {release.address}"
    if path.is_dir():
        if release.ratings_blob is None:
            return "a folder: checked by its numbers of ratings, users and items"
        if _git_blob(_in_folder(path, release, release.ratings_file)) != release.ratings_blob:
            raise InputError(f"{path}: {release.ratings_file} is not as published, it was changed or cut off; {again}")
        return f"a folder, whose {release.ratings_file} has the published checksum"
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder; name {release.name}.zip, or the folder that was in it")
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != release.md5:
        raise InputError(
            f"{path}: its MD5 is {found} and that of {release.name}.zip as published {release.md5}; {again}, or name"
            " the folder that you unpacked"
        )
    return "the zip, whose MD5 is the published one"


@contextmanager
def opened(path: Path, release: Release, name: str) -> Iterator[IO[bytes]]:
    """A file of the release, to be read as bytes; closed at the end.

    Raises:
        InputError: it is not there, or twice, or too large to be of the release, or cannot be read.

    """
    most = _MOST_BYTES_PER_RATING * release.ratings
    try:
        if path.is_dir():
            file = _in_folder(path, release, name)
            _check_size(f"{file}", file.stat().st_size, most)
            with file.open("rb") as content:
                yield content
            return
        with zipfile.ZipFile(path) as archive:
            member = _in_zip(path, archive, release, name)
            _check_size(f"{path}, {name}", member.file_size, most)
            with archive.open(member) as content:
                yield content
    # What zipfile raises: RuntimeError of an encrypted member, NotImplementedError of an unknown compression.
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise InputError(f"{path}: {name} cannot be read ({error}); get {release.name}.zip again") from error


def _in_folder(folder: Path, release: Release, name: str) -> Path:
    for found in (folder / name, folder / release.name / name):
        if found.is_file():
            return found
    raise InputError(f"{folder}: holds no {name}; name the folder that was in {release.name}.zip")


def _in_zip(path: Path, archive: zipfile.ZipFile, release: Release, name: str) -> zipfile.ZipInfo:
    found = [member for member in archive.infolist() if member.filename in (name, f"{release.name}/{name}")]
    if len(found) != 1:
        raise InputError(f"{path}: holds {len(found)} files {release.name}/{name}; get {release.name}.zip again")
    return found[0]


def _check_size(where: str, size: int, most: int) -> None:
    if size > most:
        raise InputError(f"{where}: {size:,} bytes are more than the release can have; get it again")


def _git_blob(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
