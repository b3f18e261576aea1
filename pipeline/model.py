"""The look-alike model: trained once per workload, or the user's own."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from .contract import Scalar
from .errors import InputError
from .splits import Split, k_folds

HELD_OUT_EVERY = 5
"""Every fifth training record is held out from the model and measures its quality."""


@dataclass(frozen=True)
class HeldOut:
    """Records that a model has not learned from, to judge it by.

    records: int64[m], their rows. labels: int8[m], 0 and 1, both among them.
    """

    records: np.ndarray
    labels: np.ndarray

    def auc(self, scores: np.ndarray) -> float:
        """Area under the ROC curve of [n] scores of all records: how often label 1 has the higher score of two.

        By ranks (Hanley & McNeil 1982): importing scikit-learn for it takes longer than most cases.
        """
        _, place, count = np.unique(scores[self.records], return_inverse=True, return_counts=True)
        rank = (np.cumsum(count) - (count - 1) / 2)[place]
        positive = self.labels == 1
        ones = np.count_nonzero(positive)
        above = rank[positive].sum() - ones * (ones + 1) / 2
        return float(above / (ones * (len(positive) - ones)))


def held_out_split(training_records: int) -> Split:
    """Rows of the training records: what the default model learns from, and what judges it."""
    position = np.arange(training_records)
    is_held = position % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
    return Split(position[~is_held], position[is_held])


def fold_split(training_records: int, number: int, folds: int, seed: int) -> Split:
    """Fold ``number``, from 0, of what the default model learns from: what judges that model is in neither part.

    Both parts are in ascending order.

    Raises:
        InputError: as `k_folds`.

    """
    learned = held_out_split(training_records).train
    fold = list(k_folds(len(learned), folds, seed))[number]
    return Split(np.sort(learned[fold.train]), np.sort(learned[fold.test]))


def version() -> str:
    """The installed XGBoost's version, under whichever of its two distributions it is installed.

    Raises:
        InputError: XGBoost is not installed.

    """
    for distribution in ("xgboost-cpu", "xgboost"):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    raise InputError("XGBoost is not installed: pip install 'technobench[cpu]' (or an extra with CUDA)")


def train(
    matrix: sp.csr_matrix,
    columns: Sequence[str],
    labels: np.ndarray | None,
    records: np.ndarray,
    parameters: Mapping[str, Scalar],
) -> bytes:
    """Train the default model: binary logistic, histogram trees, on the CPU, the same for a seed at any thread count.

    Args:
        matrix: CSR n x p, float32; what is not stored is missing.
        columns: the p names, kept in the model so that a model of other features is refused.
        labels: int8[n] of 0 and 1.
        records: int64, the rows to learn from.
        parameters: ``trees``, ``depth``, ``learning_rate``, ``seed``.

    Returns:
        The booster as UBJ.

    Raises:
        InputError: no label, or only one class among the records to train on.

    """
    import xgboost as xgb

    if labels is None:
        raise InputError("the dataset has no label to train on: name one (--label) or give a model (--model)")
    if len(np.unique(labels[records])) < 2:
        raise InputError(f"label: {len(records)} records to train on and all of one class; two classes are needed")
    booster = xgb.train(
        {
            "objective": "binary:logistic",
            "tree_method": "hist",
            "device": "cpu",
            "max_depth": parameters["depth"],
            "eta": parameters["learning_rate"],
            "seed": parameters["seed"],
        },
        xgb.DMatrix(matrix[records], labels[records]),
        num_boost_round=int(parameters["trees"]),
    )
    booster.feature_names = list(columns)
    return bytes(booster.save_raw("ubj"))


def read(path: Path) -> bytes:
    """The booster in a ``.json`` or ``.ubj`` file, as UBJ. Never unpickles.

    Raises:
        InputError: the file is missing or is no XGBoost model.

    """
    import xgboost as xgb

    if not path.is_file():
        raise InputError(f"{path}: no such model file")
    if path.suffix not in {".json", ".ubj"}:
        raise InputError(f"{path}: a model is a .json or .ubj file as Booster.save_model writes it; save it as one")
    try:
        booster = xgb.Booster(model_file=str(path))
    except xgb.core.XGBoostError as error:
        reason = str(error).strip().splitlines()[-1][:200]
        raise InputError(f"{path}: XGBoost does not read it as a model ({reason}); save it again") from error
    return bytes(booster.save_raw("ubj"))
