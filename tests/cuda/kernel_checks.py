"""Our kernels through the code that launches them, on a stand-in for CuPy, against float64 oracles."""

import functools

import numpy as np
import scipy.sparse as sp
from technobench.gpu_pipeline.device_forest import DeviceForest
from technobench.gpu_pipeline.device_rows import DeviceRows
from technobench.gpu_pipeline.shap import explainers
from technobench.pipeline.forest import Forest
from technobench.pipeline.shap_tables import MOST_BYTES
from technobench.pipeline.shapley import shapley_values

from .. import model_kinds
from ..boosters import trained


def forest_of(booster):
    return Forest.from_model(bytes(booster.save_raw("json")))


def random_rows(records, columns, density, seed, decimals=1):
    """CSR rows that meet thresholds, too; among what is stored are zeros and NaN."""
    generator = np.random.default_rng(seed)
    stored = generator.random((records, columns)) < density
    values = np.round(generator.normal(size=(records, columns)), decimals).astype(np.float32)
    values[generator.random(values.shape) < 0.05] = np.nan
    starts = np.append(0, np.cumsum(stored.sum(axis=1)))
    return sp.csr_matrix((values[stored], np.nonzero(stored)[1], starts), shape=stored.shape)


@functools.cache
def random_forest(columns, density, seed, rounds=4, **parameters):
    """Trained on rows with as many values; every model differs."""
    rows = random_rows(300, columns, density, seed)
    rows.data = np.nan_to_num(rows.data)
    return forest_of(trained(rows, rounds, seed, min_child_weight=0, nthread=1, **parameters))


@functools.cache
def forest_of_kind(kind):
    return forest_of(model_kinds.trained(kind, rounds=3))


def kind_of_model(kind, records, seed=9):
    """A forest of one of `model_kinds.KINDS` and rows for it."""
    return forest_of_kind(kind), model_kinds.as_csr(model_kinds.values(records, seed=seed))


def assert_scores(cupy, forest, matrix):
    """Margins as the float64 walk of the trees has them."""
    found = DeviceForest(cupy, forest).margins(DeviceRows.of(cupy, matrix, forest.features)).get()
    expected = forest.margins(matrix).reshape(found.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * max(1, np.abs(expected).max(initial=0)))


def assert_explanations(cupy, forest, matrix, most_table_bytes=MOST_BYTES):
    """Contributions as the float64 Shapley values have them, of all outputs side by side."""
    outputs = explainers(cupy, forest, most_table_bytes)
    rows = DeviceRows.of(cupy, matrix, forest.features)
    ends = np.cumsum([each.width for each in outputs])
    found = cupy.empty((matrix.shape[0], int(ends[-1])), np.float32)
    for explainer, end in zip(outputs, ends, strict=True):
        explainer.write(rows, found, int(end) - explainer.width)
    every = shapley_values(forest, matrix).reshape(matrix.shape[0], forest.outputs, forest.features + 1)
    columns = [np.append(each.features, forest.features) for each in outputs]
    expected = np.concatenate([every[:, output, own] for output, own in enumerate(columns)], axis=1)
    np.testing.assert_allclose(found.get(), expected, rtol=0, atol=2e-6)


def chain(players, seed=0):
    """A tree that is one long path with a leaf at each of its splits, every split on a feature of its own.

    Values of 1 go on, of -1 end at a leaf; what is missing does either.
    """
    generator = np.random.default_rng(seed)
    nodes = 2 * players + 1
    split = np.append(0, np.arange(2, nodes - 1, 2))
    feature, left, right = np.full((3, nodes), -1, np.int32)
    feature[split], left[split], right[split] = (
        np.arange(players),
        2 * np.arange(players) + 1,
        2 * np.arange(players) + 2,
    )
    cover = np.ones(nodes, np.float32)
    for node in split:
        share = generator.uniform(0.05, 0.98)
        cover[left[node]], cover[right[node]] = cover[node] * (1 - share), cover[node] * share
    return Forest(
        tree_offsets=np.array([0, nodes]),
        tree_output=np.zeros(1, np.int32),
        tree_number=np.zeros(1, np.int32),
        feature=feature,
        threshold=np.zeros(nodes, np.float32),
        category_offsets=np.zeros(nodes + 1, np.int64),
        categories=np.zeros(0, np.int32),
        left=left,
        right=right,
        default_left=generator.random(nodes) < 0.5,
        leaf_value=np.where(left < 0, generator.normal(size=nodes), 0).astype(np.float32),
        cover=cover,
        base_margin=np.zeros(1),
        features=players,
        objective="reg:squarederror",
        version=(3, 4, 0),
    )


def rows_down_a_chain(players, records, seed=0):
    """Rows of which most go a long way, and then not all answers are right either."""
    generator = np.random.default_rng(seed)
    values = np.where(generator.random((records, players)) < 0.9, 1, -1).astype(np.float32)
    values[generator.random(values.shape) < 0.1] = np.nan
    return model_kinds.as_csr(values)
