"""Read an XGBoost model file, as ``Booster.save_raw("json")`` writes it (XGBoost 3.0 to 3.4), into flat arrays."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .errors import InputError, UnsupportedModelError
from .objectives import objective


class _OutputTree(NamedTuple):
    """A tree as the file has it, as far as it concerns one output.

    ``number`` is its place in the model. ``weight`` is that of dropped trees (DART), else 1.
    """

    number: int
    output: int
    weight: np.float32
    fields: Mapping[str, Any]


def forest_fields(raw: bytes, iteration_range: tuple[int, int] | None = None) -> dict[str, Any]:
    """The fields of `forest.Forest`; arguments and errors as of `Forest.from_model`."""
    file = json.loads(raw)
    learner, version = file["learner"], tuple(file["version"])
    parameters = learner["learner_model_param"]
    outputs = max(1, int(parameters["num_class"]), int(parameters["num_target"]))
    trees = list(_trees(learner["gradient_booster"], outputs, iteration_range))
    name = learner["objective"]["name"]
    margin_of_base_score = objective(name, version).margin_of_base_score
    if not trees and parameters["boost_from_average"] == "1":
        raise UnsupportedModelError("the model has no trees, and versions of XGBoost differ on its base score")
    # One number for all outputs, or since XGBoost 3.1 a list of one for each.
    scores = np.array(parameters["base_score"].strip("[]").split(",")).astype(np.float32)
    return {
        **_nodes(trees),
        **_categories(trees),
        "tree_output": np.array([tree.output for tree in trees], np.int32),
        "tree_number": np.array([tree.number for tree in trees], np.int32),
        "base_margin": margin_of_base_score(np.broadcast_to(scores, outputs)).astype(np.float64),
        "features": int(parameters["num_feature"]),
        "objective": name,
        "version": version,
    }


def _trees(booster: Mapping[str, Any], outputs: int, iteration_range: tuple[int, int] | None) -> Iterator[_OutputTree]:
    """The trees of the chosen rounds; one with vectors in its leaves comes once for each output."""
    if booster["name"] not in ("gbtree", "dart"):
        raise UnsupportedModelError(f"booster '{booster['name']}' is not supported; train with booster='gbtree'")
    # Before XGBoost 3.4, dart is a booster around a gbtree; since then a gbtree with weights.
    model = (booster["gbtree"] if booster["name"] == "dart" else booster)["model"]
    weights = booster.get("weight_drop") or model.get("weight_drop") or [1.0] * len(model["trees"])
    first, last = _chosen_trees(model["iteration_indptr"], iteration_range)
    for number, tree in enumerate(model["trees"][first:last]):
        own = [model["tree_info"][first + number]] if _leaf_size(tree) == 1 else range(outputs)
        for output in own:
            yield _OutputTree(number, output, np.float32(weights[first + number]), tree)


def _chosen_trees(first_trees: Sequence[int], iteration_range: tuple[int, int] | None) -> tuple[int, int]:
    rounds = len(first_trees) - 1
    first, last = iteration_range or (0, 0)
    if (first, last) == (0, 0):
        return 0, first_trees[rounds]
    if not 0 <= first < last <= rounds:
        raise InputError(
            f"iteration_range={iteration_range}: the model has {rounds} boosting rounds; "
            f"give (first, last + 1) within them, for early stopping (0, booster.best_iteration + 1)"
        )
    return first_trees[first], first_trees[last]


def _leaf_size(tree: Mapping[str, Any]) -> int:
    return max(1, int(tree["tree_param"]["size_leaf_vector"]))


def _nodes(trees: Sequence[_OutputTree]) -> dict[str, np.ndarray]:
    sizes = [len(tree.fields["left_children"]) for tree in trees]
    offsets = np.append(0, np.cumsum(sizes, dtype=np.int64))
    first_node = np.repeat(offsets[:-1], sizes)

    def joined(field: str, dtype: type) -> np.ndarray:
        return np.array([value for tree in trees for value in tree.fields[field]], dtype)

    left, right = joined("left_children", np.int64), joined("right_children", np.int64)
    leaf = left < 0
    threshold = np.where(leaf, np.float32(0), joined("split_conditions", np.float32))
    # Vector leaves have covers since XGBoost 3.2; without them there are scores, but no SHAP values.
    covers = [tree.fields.get("sum_hessian", [0.0] * size) for tree, size in zip(trees, sizes, strict=True)]
    return {
        "tree_offsets": offsets,
        "feature": np.where(leaf, -1, joined("split_indices", np.int64)).astype(np.int32),
        "threshold": np.where(joined("split_type", bool) & ~leaf, np.float32(np.nan), threshold),
        "left": np.where(leaf, -1, left + first_node).astype(np.int32),
        "right": np.where(leaf, -1, right + first_node).astype(np.int32),
        "default_left": joined("default_left", bool),
        "leaf_value": np.concatenate([np.empty(0, np.float32), *(_leaf_values(tree) for tree in trees)]),
        "cover": np.array([value for cover in covers for value in cover], np.float32),
    }


def _leaf_values(tree: _OutputTree) -> np.ndarray:
    """float32[nodes]: what the tree gives to its output at each leaf, 0 at splits; weighted in float32, as XGBoost."""
    fields, size = tree.fields, _leaf_size(tree.fields)
    leaf = np.array(fields["left_children"]) < 0
    if size == 1:
        values = np.array(fields["split_conditions"], np.float32)
    elif "leaf_weights" in fields:  # since XGBoost 3.2; a leaf has its number among them as its right child
        number = np.where(leaf, fields["right_children"], 0)
        values = np.array(fields["leaf_weights"], np.float32).reshape(-1, size)[number, tree.output]
    else:
        values = np.array(fields["base_weights"], np.float32).reshape(-1, size)[:, tree.output]
    return np.where(leaf, values * tree.weight, np.float32(0))


def _categories(trees: Sequence[_OutputTree]) -> dict[str, np.ndarray]:
    """The sets of the categorical splits, which a file has tree by tree: nodes, places, sizes, and categories."""
    sizes, sets = [], []
    for tree in trees:
        fields = tree.fields
        size = np.zeros(len(fields["left_children"]), np.int64)
        size[fields["categories_nodes"]] = fields["categories_sizes"]
        sizes.append(size)
        segments = zip(
            fields["categories_nodes"], fields["categories_segments"], fields["categories_sizes"], strict=True
        )
        sets.extend(sorted(fields["categories"][start : start + count]) for _, start, count in sorted(segments))
    ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), *sizes]))
    return {
        "category_offsets": ends,
        "categories": np.array([category for chosen in sets for category in chosen], np.int32),
    }
