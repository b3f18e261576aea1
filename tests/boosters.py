"""Matrices and boosters that the tests of forests share."""

import numpy as np
import scipy.sparse as sp
import xgboost as xgb


def sparse(records, columns, density=0.4, seed=0, scale=1.0):
    generator = np.random.default_rng(seed)
    values = generator.normal(scale=scale, size=(records, columns)) * (generator.random((records, columns)) < density)
    return sp.csr_matrix(values.astype(np.float32))


def trained(matrix, rounds=10, seed=0, **parameters):
    generator = np.random.default_rng(seed)
    labels = (matrix.sum(axis=1).A1 + generator.normal(size=matrix.shape[0]) > 0).astype(np.float32)
    options = {"objective": "binary:logistic", "seed": seed, "verbosity": 0, **parameters}
    return xgb.train(options, xgb.DMatrix(matrix, labels), rounds)
