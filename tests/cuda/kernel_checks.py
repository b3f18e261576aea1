"""Our kernels through the code that launches them, on a stand-in for CuPy, against float64 oracles."""

import functools

import numpy as np
import scipy.sparse as sp
from technobench.gpu_pipeline.device_forest import DeviceForest
from technobench.gpu_pipeline.device_rows import DeviceRows
from technobench.gpu_pipeline.shap import explainers
from technobench.pipeline.forest import Forest
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


def assert_explanations(cupy, forest, matrix):
    """Contributions as the float64 Shapley values have them, of all outputs side by side."""
    outputs = explainers(cupy, forest)
    rows = DeviceRows.of(cupy, matrix, forest.features)
    ends = np.cumsum([each.width for each in outputs])
    found = cupy.empty((matrix.shape[0], int(ends[-1])), np.float32)
    for explainer, end in zip(outputs, ends, strict=True):
        explainer.write(rows, found, int(end) - explainer.width)
    every = shapley_values(forest, matrix).reshape(matrix.shape[0], forest.outputs, forest.features + 1)
    columns = [np.append(each.features, forest.features) for each in outputs]
    expected = np.concatenate([every[:, output, own] for output, own in enumerate(columns)], axis=1)
    np.testing.assert_allclose(found.get(), expected, rtol=0, atol=2e-6)
