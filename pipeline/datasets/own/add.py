"""A dataset from the user's own file: CSV, TSV, JSON lines or Parquet, with or without the user's own XGBoost model.

The file is read twice, in batches (JSON lines once more, for their keys): `survey` learns what the user did not say,
`write` converts. Memory holds Arrow's read-ahead, one row group, and 8 bytes per record against repeated identifiers.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import InputError
from ...home import new_folder
from ..catalogue import own_folder
from ..dataset import RECORDS_FILE, Column, Progress, RecordDataset
from .formats import opened
from .model import check_model_features, load_model
from .read import Source
from .roles import Roles, checked_roles
from .survey import Survey, survey
from .write import Plan, Use, write


@dataclass(frozen=True)
class OwnData:
    """What the user asks for: a file, the name to keep it under, and how to read it.

    format, encoding, separator: as `opened` takes them.
    training_records: vocabulary and categories are learned on the first so many; None for all.
    model: an XGBoost model to use instead of the default one.
    replace: whether a dataset of that name may be replaced.
    """

    file: Path
    name: str
    roles: Roles = field(default_factory=Roles)
    format: str | None = None
    encoding: str | None = None
    separator: str | None = None
    training_records: int | None = None
    model: Path | None = None
    replace: bool = False


def add(own: OwnData, progress: Progress) -> tuple[RecordDataset, list[Use]]:
    """Read the file, check it and keep it as a dataset, whole or not at all; return it and what became of each column.

    Args:
        own: what to read.
        progress: called with the records done and all of them; all is 0 while they are not counted yet.

    Raises:
        InputError: anything about file, roles or model that the user can mend.

    """
    folder = own_folder(own.name, own.replace)
    if own.model is not None:
        load_model(own.model)
    source = opened(own.file, own.format, own.encoding, own.separator)
    roles = checked_roles(own.roles, source)
    surveyed = survey(source, roles, lambda seen: progress(seen, 0))
    records = surveyed.records
    if own.training_records is not None and not 1 <= own.training_records <= records:
        raise InputError(f"--training-records {own.training_records}: {own.file} has {records:,}; name 1 to {records}")
    uses, plan = _plan(source, own.roles, roles, surveyed)
    with new_folder(folder, replace_old=own.replace) as target:
        write(source, plan, target / RECORDS_FILE, lambda written: progress(written, records))
        dataset = _described(own, plan, records, target)
        if own.model is not None:
            check_model_features(own.model, final_columns(dataset))
            copied = f"model{own.model.suffix}"
            shutil.copyfile(own.model, target / copied)
            dataset = replace(dataset, model=copied).save()
    return replace(dataset, folder=folder), uses


def final_columns(dataset: RecordDataset) -> Sequence[str]:
    """Names of a dataset's final columns, as the features stage has them."""
    from ...workload import Workload

    return Workload(dataset).features().columns


def _plan(source: Source, said: Roles, roles: Roles, surveyed: Survey) -> tuple[list[Use], Plan]:
    """What becomes of each column in the order of the file, and what to write."""
    named = roles.by_column()
    form = surveyed.technologies.form or "delimited"
    uses = []
    for name in source.names:
        role = named.get(name)
        if role is None:
            uses.append(Use(name, *surveyed.columns[name].outcome()))
        elif role == "technologies":
            delimiter = surveyed.technologies.delimiter(source.path, name)
            guessed = "" if said.technologies else "guessed by its name; "
            written = {"delimited": "text", "json": "JSON lists, kept as text", "list": "lists, kept as text"}[form]
            uses.append(Use(name, "technologies", f"{guessed}{written} delimited by {delimiter!r}"))
        else:
            uses.append(Use(name, "identifier" if role == "id" else role, "as you said"))
    made = None
    if roles.id is None:
        made = "record"
        while made in source.names:
            made += "_"
    delimiter = surveyed.technologies.delimiter(source.path, roles.technologies or "")
    kept = [use for use in uses if use.role != "ignore"]
    return uses, Plan(kept, made, form, delimiter, roles.positive)


def _described(own: OwnData, plan: Plan, records: int, folder: Path) -> RecordDataset:
    columns = tuple(Column(use.column, use.role) for use in plan.kept if use.role in ("categorical", "numeric"))
    return RecordDataset(
        folder=folder,
        name=own.name,
        scale=1.0,
        delimiter=plan.delimiter,
        identifier=plan.column("identifier") or plan.made_identifier or "",
        technologies=plan.column("technologies") or "",
        label=plan.column("label"),
        columns=columns,
        records=records,
        training_records=own.training_records or records,
        digest="",
        source=f"your own data, from {own.file.name}; under whatever licence you have it",
    ).save()
