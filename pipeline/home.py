"""Where datasets, prepared inputs and trained models are kept between runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import platformdirs


def home() -> Path:
    """The folder of everything that technobench keeps: ``$TECHNOBENCH_HOME``, else the user's data folder."""
    named = os.environ.get("TECHNOBENCH_HOME")
    return Path(named) if named else Path(platformdirs.user_data_dir("technobench"))


@contextmanager
def new_folder(target: Path, replace_old: bool = False) -> Iterator[Path]:
    """A folder to fill, which becomes ``target`` when the block ends well, whole or not at all.

    A kill in the middle leaves no ``target``; of two processes that make the same one, the first to end wins,
    unless ``replace_old``.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent, ignore_cleanup_errors=True) as made:
        folder = Path(made) / "new"
        folder.mkdir()
        yield folder
        if replace_old and target.is_dir():
            target.rename(Path(made) / "old")
        try:
            folder.rename(target)
        except OSError:
            if not target.is_dir():
                raise


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A path to write, which replaces ``target`` when the block ends well, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent, ignore_cleanup_errors=True) as made:
        written = Path(made) / target.name
        yield written
        written.replace(target)
