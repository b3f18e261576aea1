"""A user's own XGBoost model: read as XGBoost's JSON or UBJSON and never as a pickle, and checked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import InputError
from ...model import read

if TYPE_CHECKING:
    import xgboost

_SAVE = "save it with booster.save_model('model.json') or 'model.ubj'"
_TREES = ("gbtree", "dart")


def load_model(path: Path) -> xgboost.Booster:
    """The booster in a ``.json`` or ``.ubj`` file.

    Raises:
        InputError: no such file, another format (a pickle among them: it is not opened), or no booster of trees.

    """
    import xgboost

    if path.is_file():
        with path.open("rb") as opened:
            start = opened.read(1)
        if start == b"\x80" or path.suffix in (".pkl", ".pickle", ".joblib"):
            raise InputError(f"{path}: a pickle, and pickles are never opened; {_SAVE}")
        if start != b"{" and path.suffix in (".json", ".ubj"):
            raise InputError(f"{path}: not a model of XGBoost; {_SAVE}")
    booster = xgboost.Booster()
    booster.load_model(bytearray(read(path)))
    learner = json.loads(booster.save_config())["learner"]
    kind = learner["gradient_booster"]["name"]
    if kind not in _TREES:
        raise InputError(f"{path}: a {kind} model has no trees to explain; train one with booster='gbtree'")
    outputs = max(int(learner["learner_model_param"][count]) for count in ("num_class", "num_target"))
    if outputs > 1:
        raise InputError(f"{path}: the model gives {outputs} scores per record; a model of one score is needed")
    return booster


def check_model_features(path: Path, columns: Sequence[str]) -> None:
    """Check that the model takes the final columns of a dataset, by name where it has names, else by their number.

    Raises:
        InputError: as `load_model`, or the features differ; says how many and the first of each kind.

    """
    booster = load_model(path)
    mend = "train it on exactly the dataset's final columns, in their order"
    if booster.feature_names is None:
        if booster.num_features() != len(columns):
            raise InputError(
                f"{path}: the model has {booster.num_features():,} features without names and the dataset has "
                f"{len(columns):,} final columns; {mend}"
            )
        return
    features = booster.feature_names
    if list(features) == list(columns):
        return
    missing = list(Counter(features) - Counter(columns))
    unexpected = list(Counter(columns) - Counter(features))
    parts = []
    if missing:
        parts.append(f"{len(missing):,} features of the model are not in the dataset, first {missing[0]!r}")
    if unexpected:
        parts.append(f"{len(unexpected):,} columns of the dataset are not in the model, first {unexpected[0]!r}")
    if not parts:
        moved = [place for place, (one, other) in enumerate(zip(features, columns, strict=True)) if one != other]
        first = moved[0]
        parts.append(
            f"{len(moved):,} are out of order, first number {first + 1}: {features[first]!r} in the model, "
            f"{columns[first]!r} in the dataset"
        )
    raise InputError(
        f"{path}: the model's {len(features):,} features are not the dataset's {len(columns):,} final columns: "
        f"{'; '.join(parts)}; {mend}"
    )
