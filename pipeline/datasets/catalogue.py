"""The datasets at hand: those that makers make, and those that the user added."""

import functools
import importlib
import math
import pkgutil
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import InputError
from ..home import home, new_folder
from .dataset import Dataset, Kind, Maker, Progress

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@functools.cache
def makers() -> dict[str, Maker]:
    """The makers by name: ``MAKERS`` of every module of this package."""
    package = sys.modules[__package__ or ""]
    found: list[Maker] = []
    for module in pkgutil.iter_modules(package.__path__):
        found += getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "MAKERS", ())
    return {maker.name: maker for maker in sorted(found, key=lambda maker: maker.name)}


def checked_name(name: str) -> str:
    """The name, if it can name a dataset (and so a folder).

    Raises:
        InputError: it holds anything but lower-case letters, digits, ``-`` and ``_``.

    """
    if not _NAME.fullmatch(name):
        raise InputError(f"dataset name {name!r}: use lower-case letters, digits, '-' and '_', at most 64 of them")
    return name


def folder_of(name: str, scale: float = 1.0) -> Path:
    """Where the dataset is kept, whether it exists or not."""
    return home() / "datasets" / f"{checked_name(name)}@{scale:.15g}"


def own_folder(name: str, replace: bool) -> Path:
    """Where a dataset of the user's own is to be kept.

    Raises:
        InputError: the suite has a dataset of that name, or one is kept there and is not to be replaced.

    """
    folder = folder_of(name)
    if name in makers():
        raise InputError(f"--name {name}: a dataset of the suite has that name; choose another")
    if folder.exists() and not replace:
        raise InputError(f"--name {name}: {folder} holds such a dataset; choose another name, or pass --replace")
    return folder


def kept() -> list[Dataset]:
    """The datasets made or added so far."""
    root = home() / "datasets"
    return [Dataset.load(folder) for folder in sorted(root.glob("[!.]*@*"))] if root.is_dir() else []


def kind_of(name: str) -> Kind:
    """What the rows of the dataset are; it need not be made for that.

    Raises:
        InputError: no such dataset.

    """
    if (maker := makers().get(name)) is not None:
        return maker.kind
    folder = folder_of(name)
    if not folder.is_dir():
        raise _unknown(name)
    return Dataset.load(folder).kind


def get(name: str, scale: float = 1.0, progress: Progress | None = None) -> Dataset:
    """The dataset, made now if it can be made and is not kept yet, or was made by an older maker.

    Raises:
        InputError: no such dataset, or it comes in one size only and ``scale`` is another; or an older maker made it,
            maybe from files that only the user knows.

    """
    folder = folder_of(name, scale)
    if folder.is_dir():
        dataset, maker = Dataset.load(folder), makers().get(name)
        if maker is None or dataset.version == maker.version:
            return dataset
        if maker.takes_files:
            raise InputError(f"dataset '{name}' was made by an older version: 'technobench data make {name}' again")
    if name not in makers() and folder_of(name).is_dir():
        raise InputError(f"dataset '{name}' is your own and comes at --scale 1 only")
    return make(name, scale, (), progress)


def make(name: str, scale: float = 1.0, files: Sequence[Path] = (), progress: Progress | None = None) -> Dataset:
    """Make a dataset and keep it, in place of one that is kept already with the same scale.

    Raises:
        InputError: unknown name, a scale or files that the maker does not take, or what the maker itself refuses.

    """
    maker = makers().get(checked_name(name))
    if maker is None:
        raise _unknown(name)
    if not (scale > 0 and math.isfinite(scale)):
        raise InputError(f"--scale {scale:g}: must be above 0 and finite")
    if scale != 1 and not maker.scalable:
        raise InputError(f"dataset '{name}' comes at --scale 1 only")
    if files and not maker.takes_files:
        raise InputError(f"dataset '{name}' takes no files; use 'technobench data add' for data of your own")
    folder = folder_of(name, scale)
    with new_folder(folder, replace_old=True) as target:
        made = maker.make(target, scale, files, progress or (lambda done, total: None))
        made = replace(made, version=maker.version).save()
    return replace(made, folder=folder)


def _unknown(name: str) -> InputError:
    names = sorted({*makers(), *(dataset.name for dataset in kept())})
    return InputError(f"no dataset '{name}'; there are: {', '.join(names)} (technobench data list, data add)")
