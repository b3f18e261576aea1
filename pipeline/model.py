"""The look-alike model: trained once per workload, or the user's own."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from .contract import Scalar
from .errors import InputError

HELD_OUT_EVERY = 5
"""Every fifth training record is held out from the model and measures its quality."""


@dataclass(frozen=True)
class Trained:
    """A trained booster as UBJ, and ``auc`` and counts on the records held out from it."""

    booster: bytes
    quality: dict[str, float]


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
    training_records: int,
    parameters: Mapping[str, Scalar],
) -> Trained:
    """Train the default model: binary logistic, histogram trees, on the CPU, the same for a seed at any thread count.

    Args:
        matrix: CSR n x p, float32; what is not stored is missing.
        columns: the p names, kept in the model so that a model of other features is refused.
        labels: int8[n] of 0 and 1.
        training_records: train on the first so many records, less those held out.
        parameters: ``trees``, ``depth``, ``learning_rate``, ``seed``.

    Raises:
        InputError: no label, or only one class among the records to train on.

    """
    import xgboost as xgb
    from sklearn.metrics import roc_auc_score

    if labels is None:
        raise InputError("the dataset has no label to train on: name one (--label) or give a model (--model)")
    position = np.arange(training_records)
    held_out = position % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
    fitted, tested = position[~held_out], position[held_out]
    if len(np.unique(labels[fitted])) < 2:
        raise InputError(f"label: {len(fitted)} records to train on and all of one class; two classes are needed")
    booster = xgb.train(
        {
            "objective": "binary:logistic",
            "tree_method": "hist",
            "device": "cpu",
            "max_depth": parameters["depth"],
            "eta": parameters["learning_rate"],
            "seed": parameters["seed"],
        },
        xgb.DMatrix(matrix[fitted], labels[fitted]),
        num_boost_round=int(parameters["trees"]),
    )
    quality = {"trained_on": float(len(fitted)), "held_out": float(len(tested))}
    if len(np.unique(labels[tested])) == 2:
        scores = np.asarray(booster.inplace_predict(matrix[tested]))
        quality["auc"] = float(roc_auc_score(labels[tested], scores))
    booster.feature_names = list(columns)
    return Trained(bytes(booster.save_raw("ubj")), quality)


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
