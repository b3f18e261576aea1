"""Several outputs, dropped trees, categories: scores and explanations against XGBoost and SHAP's definition."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from technobench.cpu_pipeline.predict import Forest
from technobench.cpu_pipeline.shap import TreeShap
from technobench.pipeline import forest as flat
from technobench.pipeline import shap_tables
from technobench.pipeline.errors import InputError
from technobench.pipeline.shapley import shapley_values

from .definition import raw_json, shapley_by_definition
from .model_kinds import KINDS, as_csr, is_categorical, trained, values

ROWS = values(150, seed=1)
ODD = [-1, -0.5, 0.5, 3.7, 8, 9, 31.5, 32, 63, 64, 1e9, 2**24, 2**24 - 1, np.inf, -np.inf, np.nan, 0, -0.0]


def flattened(booster, iteration_range=None):
    return flat.Forest.from_model(bytes(booster.save_raw("json")), iteration_range)


def margins_of(booster, rows, **options):
    return booster.predict(xgb.DMatrix(rows), output_margin=True, validate_features=False, **options)


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return request.param, trained(request.param)


def test_the_kinds_are_what_their_names_say():
    for kind in KINDS:
        file = raw_json(trained(kind, rounds=2))["learner"]["gradient_booster"]
        trees = file.get("gbtree", file)["model"]["trees"]
        sizes = [size for tree in trees for size in tree["categories_sizes"]]
        assert bool(sizes) == is_categorical(kind)
        if sizes:
            assert (max(sizes) == 1) == (kind == "one category each")
        assert (int(trees[0]["tree_param"]["size_leaf_vector"]) > 1) == kind.startswith("vector")
    weights = [flattened(trained(kind, rounds=12)) for kind in ("dropped trees", "dropped trees of classes")]
    assert [forest.outputs for forest in weights] == [1, 3]


@pytest.mark.parametrize("records", [1, 5, 150, 1100])
def test_scores_are_those_of_xgboost(model, records):
    _, booster = model
    dense = np.resize(ROWS, (records, 5))
    data, forest = xgb.DMatrix(dense), Forest.from_booster(booster)
    expected = margins_of(booster, dense)
    np.testing.assert_allclose(forest.forest.margins(as_csr(dense)), expected, rtol=2e-6, atol=2e-6)
    prediction = booster.predict(data, validate_features=False)
    leaves = booster.predict(data, pred_leaf=True, validate_features=False).reshape(records, -1)
    for rows in (dense, as_csr(dense)):
        margins, predicted = forest.predict(rows), forest.predict(rows, output="value")
        assert margins.dtype == predicted.dtype == np.float32 and margins.flags.c_contiguous
        assert margins.shape == expected.shape and predicted.shape == prediction.shape
        np.testing.assert_allclose(margins, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(predicted, prediction, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(forest.predict(rows, output="leaf"), leaves)


def test_explanations_are_by_definition():
    """On models small enough, for every kind: also where no version of XGBoost explains."""
    for kind in KINDS:
        booster = trained(kind, rounds=3, depth=3)
        rows = np.vstack([ROWS[:3], np.full((1, 5), np.nan, np.float32)])
        expected = np.array([shapley_by_definition(booster, row) for row in rows])
        forest = flattened(booster)
        found = shapley_values(forest, as_csr(rows)).reshape(expected.shape)
        found[..., -1] -= forest.base_margin
        # A dropped tree's leaf times its weight is rounded to a float32.
        np.testing.assert_allclose(found, expected, rtol=0, atol=3e-7 if "dropped" in kind else 1e-13, err_msg=kind)
        margins = expected.sum(axis=-1) + forest.base_margin
        np.testing.assert_allclose(margins, margins_of(booster, rows).reshape(margins.shape), atol=4e-6)


@pytest.mark.parametrize("most_table_bytes", [shap_tables.MOST_BYTES, 30_000, 0], ids=["tables", "both", "paths"])
def test_explanations_are_those_of_the_oracle_and_of_xgboost(model, most_table_bytes):
    kind, booster = model
    explainer = TreeShap.from_forest(flattened(booster), most_table_bytes)
    expected = shapley_values(explainer.forest, as_csr(ROWS))
    for rows in (ROWS, as_csr(ROWS)):
        found, scores = explainer.shap_values(rows, output="dense", with_scores=True)
        assert found.dtype == np.float32 and found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=0, atol=4e-6)
        np.testing.assert_allclose(scores, margins_of(booster, ROWS), rtol=2e-6, atol=8e-6)
    try:
        theirs = booster.predict(xgb.DMatrix(ROWS), pred_contribs=True, validate_features=False)
    except xgb.core.XGBoostError as error:  # before XGBoost 3.4
        assert "multi-target tree is not yet implemented" in str(error) and kind.startswith("vector")
        return
    np.testing.assert_allclose(found, theirs, rtol=2e-6, atol=8e-6)


def test_deep_categories_and_classes_at_larger_size():
    booster = trained("categories and classes", depth=7, categories=1500, records=6000, max_cat_threshold=2000)
    rows = values(400, 1600, seed=5)
    forest = Forest.from_booster(booster)
    counts = np.diff(forest._codes.offsets)
    assert counts[forest._codes.sets].max() > 255
    np.testing.assert_allclose(forest.predict(rows), margins_of(booster, rows), rtol=1e-5, atol=1e-5)
    theirs = booster.predict(xgb.DMatrix(rows), pred_contribs=True, validate_features=False)
    for most_table_bytes in (shap_tables.MOST_BYTES, 0):
        found = TreeShap.from_forest(forest.forest, most_table_bytes).shap_values(rows, output="dense")
        np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["partitioned categories", "one category each"])
def test_values_that_are_no_category_of_the_model(kind):
    booster = trained(kind, categories=40, depth=6)
    rows = np.repeat(ROWS[:10], len(ODD), axis=0)
    for column in range(2):
        rows[:, column] = np.tile(ODD, 10)
        expected = booster.inplace_predict(rows, predict_type="margin")
        assert len(np.unique(expected)) > 5
        forest = Forest.from_booster(booster)
        np.testing.assert_allclose(forest.predict(rows), expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(forest.predict(as_csr(rows)), expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(forest.forest.margins(as_csr(rows)), expected, rtol=2e-6, atol=2e-6)
        explained = TreeShap.from_forest(forest.forest).shap_values(rows, output="dense")
        np.testing.assert_allclose(explained, shapley_values(forest.forest, as_csr(rows)), rtol=0, atol=2e-6)


def test_codes_answer_every_split_of_every_set_as_the_forest_does():
    for missing_left in (True, False):  # of each node both sides for missing values are tried
        forest = flattened(trained("partitioned categories", categories=300, depth=6, records=2000))
        forest = replace(forest, default_left=np.full_like(forest.default_left, missing_left))
        codes = Forest(forest)._codes
        tried = np.concatenate([np.arange(310), np.arange(310) + 0.5, np.array(ODD)]).astype(np.float32)
        for node in np.flatnonzero(np.isnan(forest.threshold)):
            column = codes.node_column[node]
            assert codes.feature[column] == forest.feature[node] and column in codes.sets
            goes_right = codes.encode(column, tried) >= codes.node_rank[node]
            np.testing.assert_array_equal(~goes_right, forest.goes_left(np.array([node]), tried))


def test_equal_sets_share_a_column_and_an_empty_set_sends_all_left():
    forest = flattened(trained("one category each", categories=4))
    codes = Forest(forest)._codes
    sets = np.flatnonzero(np.isnan(forest.threshold))
    keys = {(forest.feature[n], forest.default_left[n], forest.categories[forest.category_offsets[n]]) for n in sets}
    assert len(keys) == len(codes.sets) < len(sets)
    empty = replace(forest, categories=np.empty(0, np.int32), category_offsets=np.zeros_like(forest.category_offsets))
    rows = values(50, 4, seed=3)
    np.testing.assert_allclose(Forest(empty).predict(rows), empty.margins(as_csr(rows)), rtol=1e-6, atol=1e-6)
    assert np.abs(Forest(empty).predict(rows) - Forest(forest).predict(rows)).max() > 1e-2
    assert empty.goes_left(sets[:1], np.float32([0.0, 7.0])).all()


def test_a_frame_of_categories_is_refused_and_its_codes_are_taken():
    booster = trained("partitioned categories")
    forest, explainer = Forest.from_booster(booster), TreeShap.from_booster(booster)
    frame = pd.DataFrame(ROWS, columns=list("abcde"))
    numbered = frame.assign(a=pd.Categorical(frame.a.map(lambda code: 100 - code)))
    for use in (forest.predict, explainer.shap_values):
        with pytest.raises(InputError, match=r"column 'a' is of categories; give the codes"):
            use(numbered)
    codes = numbered.a.cat.set_categories(100.0 - np.arange(9)).cat.codes.replace(-1, np.nan)
    np.testing.assert_array_equal(forest.predict(frame.assign(a=codes)), forest.predict(ROWS))


@pytest.mark.parametrize("kind", ["classes and parallel trees", "dropped trees of classes", "vector leaves", "targets"])
def test_boosting_rounds_can_be_chosen(kind):
    booster = trained(kind, rounds=7)
    for chosen in ((0, 3), (2, 5), (6, 7), (0, 7), (0, 0)):
        expected = margins_of(booster, ROWS, iteration_range=chosen)
        np.testing.assert_allclose(Forest.from_booster(booster, chosen).predict(ROWS), expected, rtol=1e-5, atol=1e-5)
        _, scores = TreeShap.from_booster(booster, chosen).shap_values(ROWS, with_scores=True)
        np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
        found = Forest.from_booster(booster, chosen).predict(ROWS, output="leaf")
        leaves = booster.predict(xgb.DMatrix(ROWS), pred_leaf=True, iteration_range=(0, chosen[1]))  # only from 0 on
        np.testing.assert_array_equal(found, leaves.reshape(len(ROWS), -1)[:, -found.shape[1] :])
    for wrong in ((-1, 3), (0, 8), (4, 2), (3, 3), (3, 0)):
        with pytest.raises(InputError, match="7 boosting rounds"):
            Forest.from_booster(booster, wrong)


def test_the_best_iteration_of_early_stopping():
    given, labels = values(300), np.arange(300) % 3
    data = xgb.DMatrix(given, labels)
    booster = xgb.train(
        {**KINDS["classes and parallel trees"], "verbosity": 0}, data, 60,
        evals=[(xgb.DMatrix(ROWS, np.arange(150) % 3), "unseen")], early_stopping_rounds=5, verbose_eval=False,
    )  # fmt: skip
    best = booster.best_iteration
    assert best + 1 < booster.num_boosted_rounds()
    found = Forest.from_booster(booster, (0, best + 1)).predict(ROWS)
    np.testing.assert_allclose(found, margins_of(booster, ROWS, iteration_range=(0, best + 1)), rtol=1e-5, atol=1e-5)


def test_one_output_of_a_forest_stands_alone():
    for kind in ("categories and classes", "vector leaves", "dropped trees of classes"):
        forest = flattened(trained(kind))
        expected = forest.margins(as_csr(ROWS))
        for output in range(forest.outputs):
            alone = forest.of_output(output)
            assert alone.outputs == 1 and alone.of_output(0) is alone
            np.testing.assert_array_equal(alone.margins(as_csr(ROWS)), expected[:, output])
            assert len(alone.category_offsets) == len(alone.feature) + 1
        np.testing.assert_array_equal(forest.of_output(-1).margins(as_csr(ROWS)), expected[:, -1])
        with pytest.raises(IndexError):
            forest.of_output(3)


@pytest.fixture(scope="module")
def classes():
    """Of the last class, that no record has, single leaves alone: its features are others than the rest's."""
    return TreeShap.from_booster(trained("a class without records", gamma=0.2))


def test_outputs_of_several_classes_say_the_same(classes):
    used = [set(output.features) for output in classes._outputs]
    assert len(set(map(frozenset, used))) > 1 and not used[3]
    dense = classes.shap_values(ROWS, output="dense")
    csr = classes.shap_values(ROWS)
    csr.check_format(full_check=True)
    assert csr.has_sorted_indices and csr.shape == (150, 4 * 6)
    np.testing.assert_array_equal(csr.toarray(), dense.reshape(150, -1))
    compact = classes.shap_values(ROWS, output="compact")
    assert compact.values.shape == (150, 4, len(compact.features) + 1)
    np.testing.assert_array_equal(compact.values[..., :-1], dense[..., compact.features])
    np.testing.assert_array_equal(compact.values[..., -1], dense[..., -1])
    np.testing.assert_allclose(classes.bias, dense[0, :, -1], rtol=1e-6)


def test_top_contributions_and_means_of_several_classes(classes):
    dense, scores = classes.shap_values(ROWS, output="dense", with_scores=True)
    dense = dense[..., :-1]
    for k, width in ((2, 2), (4, 4), (99, len(classes.features))):
        top, margins = classes.top_contributions(ROWS, k, with_scores=True)
        assert top.features.shape == top.values.shape == (150, 4, width)
        assert (np.diff(np.sort(top.features, axis=2), axis=2) > 0).all(), "a feature is named once"
        np.testing.assert_array_equal(np.take_along_axis(dense, top.features, axis=2), top.values)
        np.testing.assert_array_equal(np.abs(top.values), -np.sort(-np.abs(dense), axis=2)[..., :width])
        assert margins.shape == (150, 4)
        np.testing.assert_allclose(margins, scores, rtol=0, atol=1e-6)
    np.testing.assert_allclose(classes.mean_absolute(ROWS), np.abs(dense).mean(axis=0), rtol=0, atol=1e-6)


def test_no_rows_of_several_classes(classes):
    nothing = ROWS[:0]
    assert classes.shap_values(nothing, output="dense").shape == (0, 4, 6)
    assert classes.shap_values(nothing).shape == (0, 24)
    assert Forest(classes.forest).predict(nothing).shape == (0, 4)


def test_the_budget_of_bytes_is_shared_among_outputs():
    forest = flattened(trained("classes", depth=7))
    whole = TreeShap.from_forest(forest)
    budget = sum(output.table_bytes for output in whole._outputs) // 2
    half = TreeShap.from_forest(forest, budget)
    spent = [output.table_bytes for output in half._outputs]
    assert sum(spent) <= budget and min(spent) > 0
