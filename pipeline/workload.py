"""The workload on one dataset: what each stage starts from, so that a stage can be measured without those before it.

What a stage starts from is computed by the references of the stages before it, never by a variant, and is kept with a
key of everything that it depends on. It is an input: no measurement and no reference answer comes from here.
"""

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from . import model
from .contract import Scalar
from .datasets.dataset import ITEMS_FILE, Dataset, InteractionDataset, RatingDataset, RecordDataset
from .errors import InputError
from .home import home, new_folder
from .interactions import Interactions, Ratings, interactions_of, last_times, ratings_of
from .model import HeldOut
from .stages.features import Features, FeaturesAnswer
from .stages.matrix_build import MatrixAnswer, MatrixBuild
from .technologies import NORMALISER

DEFAULTS: Mapping[str, Scalar] = {
    "trees": 500,
    "depth": 6,
    "learning_rate": 0.05,
    "seed": 0,
    "min_frequency": 1,
    "batch_records": 1000,
}
"""Parameters of the workload. ``batch_records`` is the seed's chunk of 1,000 records."""

_LAYOUT = 1
"""Raised when what is kept changes its meaning, so that what an older version kept is not read."""


class Workload:
    """A dataset with parameters; every input of every stage, computed once and kept."""

    def __init__(self, dataset: Dataset, parameters: Mapping[str, Scalar] | None = None) -> None:
        """Take the dataset and what differs from `DEFAULTS`."""
        self.dataset = dataset
        self.parameters: dict[str, Scalar] = {**DEFAULTS, **(parameters or {})}

    def digest(self, *names: str) -> str:
        """Key of what depends on the data, how it is read, and the named parameters."""
        chosen = {name: self.parameters[name] for name in sorted(names)}
        content = [_LAYOUT, NORMALISER, *self.dataset.identity(), chosen]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    @property
    def problem_digest(self) -> str:
        """Key of the inputs of every stage: the data and all parameters."""
        return self.digest(*self.parameters)

    @property
    def records(self) -> RecordDataset:
        """The dataset, which must be one of records.

        Raises:
            InputError: it is of another kind.

        """
        if not isinstance(self.dataset, RecordDataset):
            raise self._unfit("records")
        return self.dataset

    def interactions(self) -> Interactions:
        """Users x items: a dataset of records as its technology matrix, company x technology; others as they are.

        A company whose technologies are unknown has an empty row, as one that is known to have none.
        """
        if isinstance(self.dataset, InteractionDataset):
            return interactions_of(self.dataset)
        technologies = self.technologies()
        companies = tuple(self._read([self.records.identifier])[0].to_pylist())
        return Interactions(technologies.matrix.astype(np.float32), companies, technologies.names)

    def interaction_times(self) -> np.ndarray | None:
        """int64[entries] of the matrix of `interactions`: when each pair's last was; None where that is not known."""
        return last_times(self.dataset) if isinstance(self.dataset, InteractionDataset) else None

    def ratings(self) -> Ratings:
        """The ratings, in the order of the file.

        Raises:
            InputError: the dataset is of another kind, or has none.

        """
        if not isinstance(self.dataset, RatingDataset):
            raise self._unfit("ratings")
        return ratings_of(self.dataset)

    def items(self) -> pa.Table:
        """What is known of the items of `interactions` and `ratings`, a row each: ``id``, maybe ``title``, ``genres``.

        Raises:
            InputError: the dataset is one of records, whose items are names and nothing else.

        """
        if not isinstance(self.dataset, InteractionDataset):
            raise self._unfit("interactions or ratings")
        return pq.read_table(self.dataset.folder / ITEMS_FILE)

    def cells(self) -> list[str | None]:
        """The technology column as Python strings."""
        return self._read([self.records.technologies])[0].to_pylist()

    def raw_columns(self) -> pa.Table:
        """The raw columns beside identifier, technologies and label."""
        return self._read([column.name for column in self.records.columns])

    def labels(self) -> np.ndarray | None:
        """int8[n] of 0 and 1, or None where the dataset has no label."""
        if self.records.label is None:
            return None
        return self._read([self.records.label])[0].to_numpy().astype(np.int8)

    @functools.cache  # noqa: B019 - a workload lives as long as its process
    def technologies(self) -> MatrixAnswer:
        """The technology matrix."""
        stage = MatrixBuild()
        folder = self.kept(
            f"technologies-{self.digest('min_frequency')}",
            lambda folder: _save_technologies(folder, stage.reference(stage.problem(self))),
        )
        return _load_technologies(folder)

    @functools.cache  # noqa: B019
    def features(self) -> FeaturesAnswer:
        """The final matrix.

        Raises:
            InputError: as `final_columns`.
        """
        return FeaturesAnswer(sp.csr_matrix(sp.load_npz(self._features_folder() / "matrix.npz")), self.final_columns())

    def final_columns(self) -> tuple[str, ...]:
        """Names of the final matrix's columns.

        Raises:
            InputError: two have the same name, so that a model could not tell them apart.
        """
        return tuple(json.loads((self._features_folder() / "columns.json").read_text(encoding="utf-8")))

    def _features_folder(self) -> Path:
        def make(folder: Path) -> None:
            stage = Features()
            answer = stage.reference(stage.problem(self))
            name, count = Counter(answer.columns).most_common(1)[0] if answer.columns else ("", 1)
            if count > 1:
                raise InputError(f"dataset '{self.dataset.name}': {count} final columns are named {name!r}; rename one")
            _save_features(folder, answer)

        return self.kept(f"features-{self.digest('min_frequency')}", make)

    def model(self) -> bytes:
        """The user's model, or the default one trained on this dataset; an XGBoost booster as UBJ."""
        if self.records.model is not None:
            return model.read(self.records.folder / self.records.model)
        parameters = ("min_frequency", "trees", "depth", "learning_rate", "seed")
        key = f"{self.digest(*parameters)}-xgboost-{model.version()}"

        def train(folder: Path) -> None:
            split = model.held_out_split(self.records.training_records)
            (folder / "model.ubj").write_bytes(self._trained_on(split.train))

        return (self.kept(f"model-{key}", train) / "model.ubj").read_bytes()

    def held_out(self) -> HeldOut | None:
        """What judges `model`; None for a model of the user's own, which may have learned from any record.

        None, too, where the records held out are all of one class, and so cannot judge.
        """
        if self.records.model is not None:
            return None
        return self._judges(model.held_out_split(self.records.training_records).test)

    def model_of_fold(self, number: int, folds: int) -> tuple[bytes, HeldOut]:
        """The default model trained on all folds but one of what `model` learns from, and that one, which judges it.

        Raises:
            InputError: the user has a model of their own, there is no label, or a part is of one class.

        """
        if self.records.model is not None:
            raise InputError(
                f"dataset '{self.dataset.name}' has a model of its own, trained elsewhere; its parameters can be tuned "
                "only if the dataset is added without --model"
            )
        seed = int(self.parameters["seed"])
        split = model.fold_split(self.records.training_records, number, folds, seed)
        trained, judges = self._trained_on(split.train), self._judges(split.test)
        if judges is None:
            raise InputError(
                f"fold {number + 1} of {folds}: its {len(split.test)} records are of one class and cannot judge; "
                "use fewer folds"
            )
        return trained, judges

    def _trained_on(self, records: np.ndarray) -> bytes:
        features = self.features()
        return model.train(features.matrix, features.columns, self.labels(), records, self.parameters)

    def _judges(self, records: np.ndarray) -> HeldOut | None:
        labels = self.labels()
        if labels is None or len(np.unique(labels[records])) < 2:
            return None
        return HeldOut(records, labels[records])

    def kept(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder of this name among what is kept of the dataset; ``make`` fills it the first time."""
        folder = home() / "workloads" / f"{self.dataset.name}@{self.dataset.scale:.15g}" / name
        if not folder.is_dir():
            with new_folder(folder) as target:
                make(target)
        return folder

    def _unfit(self, needed: str) -> InputError:
        return InputError(f"dataset '{self.dataset.name}' has {self.dataset.kind}, not {needed}; name one that has")

    def _read(self, columns: list[str]) -> pa.Table:
        return pq.read_table(self.dataset.path, columns=columns)


def _save_technologies(folder: Path, answer: MatrixAnswer) -> None:
    sp.save_npz(folder / "matrix.npz", answer.matrix, compressed=False)
    np.savez(folder / "records.npz", known=answer.known, unseen=answer.unseen)
    (folder / "names.json").write_text(json.dumps(answer.names), encoding="utf-8")


def _load_technologies(folder: Path) -> MatrixAnswer:
    records = np.load(folder / "records.npz", allow_pickle=False)
    names = tuple(json.loads((folder / "names.json").read_text(encoding="utf-8")))
    matrix = sp.csr_matrix(sp.load_npz(folder / "matrix.npz"))
    return MatrixAnswer(matrix, names, records["known"], int(records["unseen"]))


def _save_features(folder: Path, answer: FeaturesAnswer) -> None:
    sp.save_npz(folder / "matrix.npz", answer.matrix, compressed=False)
    (folder / "columns.json").write_text(json.dumps(answer.columns), encoding="utf-8")
