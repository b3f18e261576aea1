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
from .datasets.dataset import Dataset, file_digest
from .errors import InputError
from .home import home, new_folder
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
        """Key of what depends on the data, how its columns are read, and the named parameters."""
        dataset = self.dataset
        roles = [dataset.delimiter, dataset.identifier, dataset.technologies, dataset.label]
        columns = [(column.name, column.kind) for column in dataset.columns]
        chosen = {name: self.parameters[name] for name in sorted(names)}
        own_model = file_digest(dataset.folder / dataset.model) if dataset.model else None
        content = [_LAYOUT, NORMALISER, own_model, dataset.digest, roles, columns, dataset.training_records, chosen]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    @property
    def problem_digest(self) -> str:
        """Key of the inputs of every stage: the data and all parameters."""
        return self.digest(*self.parameters)

    def cells(self) -> list[str | None]:
        """The technology column as Python strings."""
        return self._read([self.dataset.technologies])[0].to_pylist()

    def raw_columns(self) -> pa.Table:
        """The raw columns beside identifier, technologies and label."""
        return self._read([column.name for column in self.dataset.columns])

    def labels(self) -> np.ndarray | None:
        """int8[n] of 0 and 1, or None where the dataset has no label."""
        if self.dataset.label is None:
            return None
        return self._read([self.dataset.label])[0].to_numpy().astype(np.int8)

    @functools.cache  # noqa: B019 - a workload lives as long as its process
    def technologies(self) -> MatrixAnswer:
        """The technology matrix."""
        stage = MatrixBuild()
        folder = self._kept(
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

        return self._kept(f"features-{self.digest('min_frequency')}", make)

    def model(self) -> bytes:
        """The user's model, or the default one trained on this dataset; an XGBoost booster as UBJ."""
        if self.dataset.model is not None:
            return model.read(self.dataset.folder / self.dataset.model)
        return (self._model_folder() / "model.ubj").read_bytes()

    def model_quality(self) -> dict[str, float] | None:
        """How good the default model is on the records held out from it; None for a model of the user's own."""
        if self.dataset.model is not None:
            return None
        return json.loads((self._model_folder() / "quality.json").read_text(encoding="utf-8"))

    def _model_folder(self) -> Path:
        parameters = ("min_frequency", "trees", "depth", "learning_rate", "seed")
        key = f"{self.digest(*parameters)}-xgboost-{model.version()}"

        def train(folder: Path) -> None:
            features = self.features()
            trained = model.train(
                features.matrix,
                features.columns,
                self.labels(),
                self.dataset.training_records,
                {name: self.parameters[name] for name in parameters},
            )
            (folder / "model.ubj").write_bytes(trained.booster)
            (folder / "quality.json").write_text(json.dumps(trained.quality), encoding="utf-8")

        return self._kept(f"model-{key}", train)

    def _kept(self, name: str, make: Callable[[Path], None]) -> Path:
        folder = home() / "workloads" / f"{self.dataset.name}@{self.dataset.scale:.15g}" / name
        if not folder.is_dir():
            with new_folder(folder) as target:
                make(target)
        return folder

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
