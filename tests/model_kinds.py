"""Boosters of every kind that is more than numeric splits and one output, and rows to try them on."""

import numpy as np
import scipy.sparse as sp
import xgboost as xgb

CATEGORICAL = 2
"""The first columns hold codes of categories where a kind has any."""
FEATURE_TYPES = ["c"] * CATEGORICAL + ["q"] * 3

CLASSES = {"objective": "multi:softprob", "num_class": 3}
MORE_CLASSES = {**CLASSES, "num_class": 4}  # none of the training records is of the last
DROPPED = {"booster": "dart", "rate_drop": 0.5, "one_drop": 1, "objective": "binary:logistic"}
VECTORS = {"multi_strategy": "multi_output_tree"}
PARALLEL = {"num_parallel_tree": 3, "subsample": 0.5}
PARTITIONED, ONE_HOT = {"max_cat_to_onehot": 1}, {"max_cat_to_onehot": 100}
BINARY = {"objective": "binary:logistic"}

KINDS = {
    "classes": CLASSES,
    "class numbers": {**CLASSES, "objective": "multi:softmax"},
    "a class without records": MORE_CLASSES,
    "classes and parallel trees": {**CLASSES, **PARALLEL},
    "one class": {**CLASSES, "num_class": 1},
    "targets": {"targets": 3},
    "labels": {"targets": 2, **BINARY},
    "vector leaves": {"targets": 3, **VECTORS},
    "vector leaves and parallel trees": {"targets": 2, **VECTORS, **PARALLEL},
    "vector leaves of classes": {**CLASSES, **VECTORS},
    "dropped trees": DROPPED,
    "dropped trees of classes": {**DROPPED, **CLASSES},
    "dropped parallel trees": {**DROPPED, **PARALLEL},
    "partitioned categories": {**PARTITIONED, **BINARY},
    "one category each": {**ONE_HOT, **BINARY},
    "categories and classes": {**PARTITIONED, **CLASSES},
    "categories and dropped trees": {**PARTITIONED, **DROPPED},
}


def is_categorical(kind):
    return "max_cat_to_onehot" in KINDS[kind]


def values(records, categories=9, seed=0):
    """float32[records, 5]: two columns of codes, three of numbers; some missing, some 0."""
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, categories, (records, CATEGORICAL))
    numbers = np.round(generator.normal(size=(records, 3)), 1)
    every = np.column_stack([codes, numbers]).astype(np.float32)
    every[generator.random(every.shape) < 0.15] = np.nan
    return every


def as_csr(dense):
    """What is NaN is not stored, what is 0 is."""
    there = ~np.isnan(dense)
    indptr = np.append(0, np.cumsum(there.sum(axis=1)))
    return sp.csr_matrix((dense[there], np.nonzero(there)[1], indptr), shape=dense.shape)


def trained(kind, rounds=6, depth=4, categories=9, records=400, **more):
    options = {"max_depth": depth, "min_child_weight": 0, "verbosity": 0, "nthread": 1, **KINDS[kind], **more}
    targets = options.pop("targets", 1)
    given = values(records, categories)
    mixed = (7 * given[:, 0] ** 2 + 3 * given[:, 1]) % 10 + np.nan_to_num(given[:, 2:]) @ [1, -2, 1]
    mixed = np.nan_to_num(mixed, nan=2.0)
    if options.get("num_class") == 1:
        labels = np.zeros(records)
    elif "num_class" in options:
        labels = (mixed.astype(int) + (given[:, 3] > 0)) % 3
    elif options.get("objective") == "binary:logistic":
        labels = np.column_stack([mixed + target * given[:, 4] > 4 for target in range(targets)])
    else:
        labels = np.column_stack([mixed + target * np.nan_to_num(given[:, 4]) for target in range(targets)])
    types = FEATURE_TYPES if is_categorical(kind) else None
    data = xgb.DMatrix(given, labels, feature_types=types, enable_categorical=True)
    booster = xgb.train(options, data, rounds)
    booster.feature_types = None  # as loaded from a file that a matrix without types is given
    return booster
