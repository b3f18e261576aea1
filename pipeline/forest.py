"""The trees of an XGBoost model as flat arrays: the one layout that oracles, native engines and kernels read."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from .errors import InputError, UnsupportedModelError

ROWS_AT_A_TIME = 4096


def _identity(score: np.float32) -> np.float32:
    return score


def _logit(score: np.float32) -> np.float32:
    return -np.log(np.float32(1) / score - np.float32(1))


# How an objective turns the base score of the model file into a margin (XGBoost docs, Intercept). In float32 and by
# XGBoost's own formula: near 1 the formula itself is off by 1e-5, and so is every margin of the model.
_MARGIN_OF_BASE_SCORE: Mapping[str, Callable[[np.float32], np.float32]] = {
    "binary:logistic": _logit,
    "reg:logistic": _logit,
    "binary:logitraw": _identity,
    "reg:squarederror": _identity,
    "reg:squaredlogerror": _identity,
    "reg:pseudohubererror": _identity,
    "reg:absoluteerror": _identity,
    "reg:quantileerror": _identity,
    "reg:expectileerror": _identity,
    "reg:gamma": np.log,
    "reg:tweedie": np.log,
}


@dataclass(frozen=True)
class Forest:
    """Trees with numeric splits and one output; the margin of a row is ``base_margin`` plus one leaf of each tree.

    Nodes are numbered through all trees. A leaf has -1 as ``feature``, ``left`` and ``right``, and 0 as ``threshold``.
    A row goes left where its value, a float32, is less than the threshold; where it has no value, by ``default_left``.

    tree_offsets: int64[trees + 1]; tree t has the nodes from ``tree_offsets[t]``, its root, to ``tree_offsets[t + 1]``
        (among them may be nodes that were pruned, and that no path reaches).
    feature: int32[nodes], column of the matrix.
    threshold: float32[nodes].
    left, right: int32[nodes], the children's numbers.
    default_left: bool[nodes].
    leaf_value: float32[nodes], 0 where the node is no leaf.
    cover: float32[nodes], sum of the training records' Hessians: the weight of a child in path-dependent SHAP.
    base_margin: what a model without trees would score.
    features: columns that a matrix must have.
    objective: XGBoost's name of it.
    """

    tree_offsets: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    default_left: np.ndarray
    leaf_value: np.ndarray
    cover: np.ndarray
    base_margin: float
    features: int
    objective: str

    @classmethod
    def from_model(cls, raw: bytes) -> "Forest":
        """All trees of a model that ``Booster.save_raw("json")`` wrote (XGBoost 3.0 to 3.4).

        The best iteration of early stopping is left to the caller: slice the booster first.

        Raises:
            UnsupportedModelError: not gbtree, dropped trees, several outputs, categorical splits, an objective whose
                base score has no known meaning, or no trees and a base score that was never estimated.

        """
        learner = json.loads(raw)["learner"]
        trees = _supported_trees(learner)
        parameters = learner["learner_model_param"]
        objective = learner["objective"]["name"]
        if not trees and parameters["boost_from_average"] == "1":
            raise UnsupportedModelError("the model has no trees, and versions of XGBoost differ on its base score")
        return cls(
            **_flatten(trees),
            base_margin=_base_margin(objective, parameters["base_score"]),
            features=int(parameters["num_feature"]),
            objective=objective,
        )

    @cached_property
    def used_features(self) -> np.ndarray:
        """int32, ascending: the columns that any split reads."""
        return np.unique(self.feature[self.feature >= 0])

    @cached_property
    def slot(self) -> np.ndarray:
        """int64[nodes]: the node's column as a position in `used_features`; meaningless at a leaf."""
        return np.searchsorted(self.used_features, self.feature)

    def used_values(self, matrix: sp.csr_matrix) -> np.ndarray:
        """float32[len(used_features), rows]: the used columns, dense; NaN where nothing is stored.

        Raises:
            InputError: the matrix has not as many columns as the model has features.

        """
        if matrix.shape[1] != self.features:
            raise InputError(f"the model has {self.features} features, the matrix {matrix.shape[1]} columns")
        position = np.full(self.features, -1)
        position[self.used_features] = np.arange(len(self.used_features))
        column = position[matrix.indices]
        row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        used = column >= 0
        values = np.full((len(self.used_features), matrix.shape[0]), np.nan, np.float32)
        values[column[used], row[used]] = matrix.data[used]
        return values

    def goes_left(self, nodes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Whether each value (float32, NaN where missing) goes left at its node; shapes broadcast."""
        return (values < self.threshold[nodes]) | (np.isnan(values) & self.default_left[nodes])

    def margins(self, matrix: sp.csr_matrix) -> np.ndarray:
        """float64[n]: the margin of each row of an n x features CSR matrix; the leaves are added in float64."""
        margins = np.full(matrix.shape[0], self.base_margin)
        for start in range(0, matrix.shape[0], ROWS_AT_A_TIME):
            values = self.used_values(matrix[start : start + ROWS_AT_A_TIME])
            part = margins[start : start + ROWS_AT_A_TIME]
            for root in self.tree_offsets[:-1]:
                part += self.leaf_value[self._leaves(root, values)]
        return margins

    def _leaves(self, root: int, values: np.ndarray) -> np.ndarray:
        node = np.full(values.shape[1], root, np.int32)
        while (walking := np.flatnonzero(self.feature[node] >= 0)).size:
            at = node[walking]
            goes_left = self.goes_left(at, values[self.slot[at], walking])
            node[walking] = np.where(goes_left, self.left[at], self.right[at])
        return node


def _supported_trees(learner: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The trees as XGBoost writes them, once everything has been refused that `Forest` would compute wrongly."""
    booster, parameters = learner["gradient_booster"], learner["learner_model_param"]
    if booster["name"] != "gbtree":
        raise UnsupportedModelError(f"booster '{booster['name']}' is not supported; train with booster='gbtree'")
    model = booster["model"]
    if model.get("weight_drop"):  # since XGBoost 3.4, dart is a gbtree with weights of its trees
        raise UnsupportedModelError("booster 'dart' (dropped trees) is not supported; train without dropout")
    if int(parameters["num_class"]) > 1:
        raise UnsupportedModelError(f"multi-class models are not supported ({parameters['num_class']} classes)")
    if int(parameters["num_target"]) > 1:
        raise UnsupportedModelError(f"multi-output models are not supported ({parameters['num_target']} outputs)")
    if any(any(tree["split_type"]) for tree in model["trees"]):
        raise UnsupportedModelError("categorical splits are not supported; train on one column per category")
    return model["trees"]


def _base_margin(objective: str, base_score: str) -> float:
    """The base score, ``5E-1`` or (since XGBoost 3.1) ``[5E-1]`` in the file, as a margin."""
    if objective not in _MARGIN_OF_BASE_SCORE:
        known = ", ".join(_MARGIN_OF_BASE_SCORE)
        raise UnsupportedModelError(f"objective '{objective}' is not supported; known: {known}")
    return float(_MARGIN_OF_BASE_SCORE[objective](np.float32(base_score.strip("[]"))))


def _flatten(trees: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    offsets = np.zeros(len(trees) + 1, np.int64)
    np.cumsum([len(tree["left_children"]) for tree in trees], out=offsets[1:])
    first_node = np.repeat(offsets[:-1], np.diff(offsets))

    def joined(field: str, dtype: type) -> np.ndarray:
        return np.array([value for tree in trees for value in tree[field]], dtype)

    left, right = joined("left_children", np.int64), joined("right_children", np.int64)
    split_or_leaf = joined("split_conditions", np.float32)
    leaf = left < 0
    return {
        "tree_offsets": offsets,
        "feature": np.where(leaf, -1, joined("split_indices", np.int64)).astype(np.int32),
        "threshold": np.where(leaf, np.float32(0), split_or_leaf),
        "left": np.where(leaf, -1, left + first_node).astype(np.int32),
        "right": np.where(leaf, -1, right + first_node).astype(np.int32),
        "default_left": joined("default_left", bool),
        "leaf_value": np.where(leaf, split_or_leaf, np.float32(0)),
        "cover": joined("sum_hessian", np.float32),
    }
