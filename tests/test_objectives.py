"""What each objective makes of base score and margin, against XGBoost itself."""

import json

import numpy as np
import pytest
import xgboost as xgb
from technobench.cpu_pipeline.predict import Forest
from technobench.pipeline.errors import UnsupportedModelError
from technobench.pipeline.forest import Forest as FlatForest
from technobench.pipeline.objectives import OBJECTIVES

from .boosters import sparse, trained
from .definition import raw_json

MATRIX = sparse(200, 5)
DRAWN = np.random.default_rng(0)
POSITIVE, ZERO_OR_ONE = np.linspace(0.1, 2, 200), DRAWN.integers(0, 2, 200)
SEVERAL = {"reg:quantileerror": "quantile_alpha", "reg:expectileerror": "expectile_alpha"}


def data_of(objective):
    if objective.startswith("multi"):
        return xgb.DMatrix(MATRIX, np.arange(200) % 3)
    if objective.startswith("rank"):
        return xgb.DMatrix(MATRIX, ZERO_OR_ONE, group=[50] * 4)
    if objective == "survival:aft":
        return xgb.DMatrix(MATRIX, label_lower_bound=POSITIVE, label_upper_bound=1.5 * POSITIVE)
    if objective == "survival:cox":  # negative: still alive
        return xgb.DMatrix(MATRIX, POSITIVE * np.where(ZERO_OR_ONE, 1, -1))
    return xgb.DMatrix(MATRIX, ZERO_OR_ONE if "logi" in objective or "hinge" in objective else POSITIVE)


def booster_of(objective, base_score=None, **more):
    options = {"objective": objective, "max_depth": 2, "verbosity": 0, **more}
    if objective.startswith("multi"):
        options["num_class"] = 4
    if objective in SEVERAL:
        options.setdefault(SEVERAL[objective], 0.5)
    if base_score is not None:
        options["base_score"] = base_score
    try:
        return xgb.train(options, data_of(objective), 3)
    except xgb.core.XGBoostError as error:
        assert "Unknown objective" in str(error)
        pytest.skip(f"XGBoost {xgb.__version__} does not have {objective}")


def assert_like_xgboost(booster):
    data, forest = xgb.DMatrix(MATRIX), Forest.from_booster(booster)
    margins, values = booster.predict(data, output_margin=True), booster.predict(data)
    scale = max(1.0, np.abs(margins).max())
    np.testing.assert_allclose(forest.forest.margins(MATRIX), margins, rtol=2e-6, atol=2e-6 * scale)
    np.testing.assert_allclose(forest.predict(MATRIX), margins, rtol=2e-6, atol=2e-6 * scale)
    predicted = forest.predict(MATRIX, output="value")
    assert predicted.shape == values.shape and predicted.dtype == np.float32
    np.testing.assert_allclose(predicted, values, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("base_score", [None, 0.3, 0.999])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_margins_and_values_are_those_of_xgboost(objective, base_score):
    assert_like_xgboost(booster_of(objective, base_score))


@pytest.mark.parametrize("base_score", [None, 0.3])
@pytest.mark.parametrize("objective", SEVERAL)
def test_several_quantiles_and_expectiles(objective, base_score):
    booster = booster_of(objective, base_score, **{SEVERAL[objective]: [0.1, 0.5, 0.9]})
    assert_like_xgboost(booster)
    assert Forest.from_booster(booster).forest.outputs == 3


def test_all_objectives_of_xgboost_are_known():
    """XGBoost lists them all when it is asked for one that it does not have."""
    with pytest.raises(xgb.core.XGBoostError) as asked:
        xgb.train({"objective": "reg:unheard"}, xgb.DMatrix(MATRIX, POSITIVE), 1)
    listed = {line.split(": ")[1] for line in str(asked.value).splitlines() if line.startswith("Objective candidate")}
    assert {"binary:logistic", "multi:softmax"} <= listed
    assert listed - {"reg:linear"} <= set(OBJECTIVES), "reg:linear is saved as reg:squarederror"


def test_an_objective_of_unknown_link_is_refused():
    model = raw_json(trained(MATRIX))
    model["learner"]["objective"]["name"] = "reg:unheard"
    with pytest.raises(UnsupportedModelError, match="objective 'reg:unheard' is not supported; known: binary:hinge"):
        FlatForest.from_model(json.dumps(model).encode())
