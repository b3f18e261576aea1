"""Model files in the forms that XGBoost 3.0 to 3.4 write, and the models that are refused."""

import json

import numpy as np
import pytest
from technobench.cpu_pipeline.shap import TreeShap
from technobench.pipeline.errors import UnsupportedModelError
from technobench.pipeline.forest import Forest

from .boosters import sparse, trained
from .definition import raw_json
from .model_kinds import as_csr, values
from .model_kinds import trained as trained_kind

ROWS = as_csr(values(60, seed=2))


def read(model):
    return Forest.from_model(json.dumps(model).encode())


@pytest.mark.parametrize("form", ["2.5E-1", "[2.5E-1]"])
def test_both_forms_of_the_base_score(form):
    model = raw_json(trained(sparse(200, 5), rounds=1))
    model["learner"]["learner_model_param"]["base_score"] = form
    assert read(model).base_margin == pytest.approx([np.log(1 / 3)], abs=1e-6)


def test_base_scores_of_several_outputs():
    model = raw_json(trained_kind("classes"))
    for form, expected in (("5E-1", [0.5] * 3), ("[1E-1,-2E0,3E0]", [0.1, -2, 3])):
        model["learner"]["learner_model_param"]["base_score"] = form
        np.testing.assert_array_equal(read(model).base_margin, np.float32(expected))


@pytest.mark.parametrize("kind", ["dropped trees", "dropped trees of classes"])
def test_dropped_trees_before_and_since_3_4(kind):
    model = raw_json(trained_kind(kind))
    expected = read(model).margins(ROWS)
    booster = model["learner"]["gradient_booster"]
    weights = booster.pop("weight_drop", None) or booster["model"].pop("weight_drop")
    assert min(weights) < 1 and len(set(weights)) > 2
    plain = booster.pop("gbtree")["model"] if booster["name"] == "dart" else booster["model"]
    old = {"name": "dart", "gbtree": {"name": "gbtree", "model": plain}, "weight_drop": weights}
    new = {"name": "gbtree", "model": {**plain, "weight_drop": weights}}
    for form in (old, new):
        model["learner"]["gradient_booster"] = form
        np.testing.assert_array_equal(read(model).margins(ROWS), expected)
    model["learner"]["gradient_booster"] = {"name": "gbtree", "model": plain}
    assert np.abs(read(model).margins(ROWS) - expected).max() > 1e-2


def test_vector_leaves_before_and_since_3_2():
    """Before, a leaf's values were its base weights, and there were no covers: scores, but no explanations."""
    model = raw_json(trained_kind("vector leaves"))
    expected = read(model).margins(ROWS)
    for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
        weights = np.array(tree["base_weights"]).reshape(-1, 3)
        leaf = np.array(tree["left_children"]) < 0
        weights[leaf] = np.array(tree.pop("leaf_weights")).reshape(-1, 3)[np.array(tree["right_children"])[leaf]]
        tree["base_weights"] = weights.ravel().tolist()
        tree["right_children"] = np.where(leaf, -1, tree["right_children"]).tolist()
        del tree["sum_hessian"]
    old = read(model)
    np.testing.assert_array_equal(old.margins(ROWS), expected)
    with pytest.raises(UnsupportedModelError, match="cover of 0"):
        TreeShap.from_forest(old)


def test_categories_in_any_order():
    model = raw_json(trained_kind("partitioned categories"))
    expected = read(model)
    for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
        tree["categories"] = [
            category
            for start, size in zip(tree["categories_segments"], tree["categories_sizes"], strict=True)
            for category in reversed(tree["categories"][start : start + size])
        ]
        for field in ("categories_nodes", "categories_segments", "categories_sizes"):
            tree[field].reverse()
    found = read(model)
    np.testing.assert_array_equal(found.categories, expected.categories)
    np.testing.assert_array_equal(found.category_offsets, expected.category_offsets)
    assert len(found.categories)


def test_linear_boosters_are_refused():
    with pytest.raises(UnsupportedModelError, match="booster 'gblinear' is not supported"):
        read(raw_json(trained(sparse(200, 5), booster="gblinear")))


def test_no_trees_and_no_given_base_score_is_refused():
    with pytest.raises(UnsupportedModelError, match="no trees"):
        read(raw_json(trained(sparse(90, 5), rounds=0)))
