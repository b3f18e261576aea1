"""SHAP values and interactions by definition, from the value of each set of features; reads XGBoost's JSON itself."""

import itertools
import json
from math import factorial

import numpy as np


def raw_json(booster):
    return json.loads(bytes(booster.save_raw("json")))


def float32s(numbers):
    """Decimals in the file stand for float32 numbers."""
    return np.array(numbers, np.float32).astype(np.float64)


def goes_left(tree, node, value):
    if np.isnan(value):
        return bool(tree["default_left"][node])
    if not tree["split_type"][node]:
        return value < np.float32(tree["split_conditions"][node])
    at = tree["categories_nodes"].index(node)
    start = tree["categories_segments"][at]
    chosen = tree["categories"][start : start + tree["categories_sizes"][at]]
    return not (0 <= value < 2**24 and int(value) in chosen)


def leaf_value(tree, node):
    """float64[outputs of the tree]."""
    size = max(1, int(tree["tree_param"]["size_leaf_vector"]))
    if size == 1:
        return float32s([tree["split_conditions"][node]])
    first = tree["right_children"][node] * size
    return float32s(tree["leaf_weights"][first : first + size])


def expectation(tree, node, row, known):
    """What the tree returns on average, in float64, when only the features in ``known`` are known."""
    left, right = tree["left_children"][node], tree["right_children"][node]
    if left < 0:
        return leaf_value(tree, node)
    feature = tree["split_indices"][node]
    if feature in known:
        return expectation(tree, left if goes_left(tree, node, row[feature]) else right, row, known)
    cover = {each: float(np.float32(tree["sum_hessian"][each])) for each in (node, left, right)}
    return sum(cover[child] / cover[node] * expectation(tree, child, row, known) for child in (left, right))


def values_of_sets(booster, row):
    """float64[outputs] without the base score, for each set of known features."""
    learner = raw_json(booster)["learner"]
    outputs = max(1, *(int(learner["learner_model_param"][name]) for name in ("num_class", "num_target")))
    booster_file = learner["gradient_booster"]
    model = booster_file.get("gbtree", booster_file)["model"]
    weights = booster_file.get("weight_drop") or model.get("weight_drop") or [1] * len(model["trees"])

    def value(known):
        total = np.zeros(outputs)
        for tree, output, weight in zip(model["trees"], model["tree_info"], float32s(weights), strict=True):
            given = weight * expectation(tree, 0, row, known)
            total[[output] if len(given) == 1 else slice(None)] += given
        return total

    p = len(row)
    subsets = [frozenset(known) for size in range(p + 1) for known in itertools.combinations(range(p), size)]
    return {known: value(known) for known in subsets}


def shapley_by_definition(booster, row):
    """float64[outputs, p + 1] without the base score: no paths, no leaves' games."""
    return shapley_of_sets(values_of_sets(booster, row), len(row))


def shapley_of_sets(values, p):
    result = np.zeros((len(values[frozenset()]), p + 1))
    result[:, p] = values[frozenset()]
    for feature, known in itertools.product(range(p), values):
        if feature not in known:
            weight = factorial(len(known)) * factorial(p - len(known) - 1) / factorial(p)
            result[:, feature] += weight * (values[known | {feature}] - values[known])
    return result


def interactions_by_definition(booster, row):
    """float64[outputs, p + 1, p + 1] without the base score: half of each pair's Shapley interaction index."""
    values, p = values_of_sets(booster, row), len(row)
    result = np.zeros((len(values[frozenset()]), p + 1, p + 1))
    for one, two in itertools.permutations(range(p), 2):
        for known in values:
            if not known & {one, two}:
                weight = factorial(len(known)) * factorial(p - len(known) - 2) / factorial(p - 1) / 2
                change = values[known | {one, two}] - values[known | {one}] - values[known | {two}] + values[known]
                result[:, one, two] += weight * change
    places = np.arange(p + 1)
    result[:, places, places] = shapley_of_sets(values, p) - result.sum(axis=2)
    return result
