"""The stage ratings: its oracle against Surprise, every variant against it and against each other, wrong answers."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from technobench.cpu_pipeline.rating_models import products
from technobench.cpu_pipeline.ratings import batched_sparse, native
from technobench.pipeline import rating_reference
from technobench.pipeline.datasets.planted_ratings import RATINGS, USER_QUARTILES, USERS, counts_by_quartiles
from technobench.pipeline.errors import InputError, UnsupportedModelError
from technobench.pipeline.interactions import Ratings
from technobench.pipeline.rating_models import KNN, MODELS, SVD, BaselineSGD, SlopeOne, SVDpp, configured
from technobench.pipeline.stages.ratings import RatingsStage, accuracy, rating_problem

from .ratings_data import starred
from .variants import answer_of, variants_of

VARIANTS = variants_of("ratings")
STAGE = RatingsStage()
DATA = starred(60, 40, 900)
SHORT = {"svd": 4, "svd-unbiased": 60, "svdpp": 3, "svdpp-cached": 3, "nmf": 6, "nmf-biased": 6}
"""Epochs, so that plain Python gets through; without biases it takes some until the lowest rating is passed."""
NEAR = [name for name in MODELS if name.startswith("knn")]
SIMILARITIES = ("cosine", "msd", "pearson", "pearson-baseline")


def problem_of(name, data=DATA, folds=3, seed=7, **given):
    given = {"epochs": SHORT[name], **given} if name in SHORT else given
    return rating_problem(data, name, folds, seed, {"seed": seed, **given})


@pytest.fixture
def in_python(monkeypatch):
    """Definitions as they are written, without a compiler between."""
    monkeypatch.setattr(rating_reference, "_compiled", lambda definition: definition)


def naive():
    pytest.importorskip("surprise", reason="package 'surprise' is not installed (pip install scikit-surprise)")
    return VARIANTS["naive"]


@pytest.mark.parametrize("name", MODELS)
def test_definition_surprise_and_native_agree_on_every_fold(name, in_python):
    problem = problem_of(name)
    reference = STAGE.reference(problem)
    assert len(reference.places) == (3 * 60 if name in NEAR or name == "slope-one" else len(DATA))
    found = answer_of(VARIANTS["native"], problem)
    assert STAGE.error(problem, found, reference) < 1e-12
    assert len(np.unique(found)) > 500, "estimates that are all clipped would not tell"
    theirs = answer_of(naive(), problem)
    assert STAGE.error(problem, theirs, reference) < 1e-12
    np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("user_based", [True, False], ids=["users", "items"])
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("name", NEAR)
def test_neighbours_are_surprises_to_the_last_bit(name, similarity, user_based):
    problem = problem_of(name, similarity=similarity, user_based=user_based, k=7, min_k=2, min_support=3)
    found = answer_of(VARIANTS["native"], problem)
    reference = STAGE.reference(problem)
    for variant in (VARIANTS["native"], VARIANTS["batched-sparse"]):
        assert STAGE.error(problem, answer_of(variant, problem), reference) < 1e-12
    np.testing.assert_array_equal(found, answer_of(naive(), problem))


def test_slope_one_is_surprises_to_the_last_bit():
    problem = problem_of("slope-one")
    found = answer_of(VARIANTS["native"], problem)
    np.testing.assert_array_equal(found, answer_of(naive(), problem))
    np.testing.assert_allclose(answer_of(VARIANTS["batched-sparse"], problem), found, rtol=0, atol=1e-12)


def test_surprise_cuts_half_stars_off_in_slope_one_and_is_told_so():
    problem = problem_of("slope-one", data=starred(60, 40, 900, half_stars=True))
    reference = STAGE.reference(problem)
    assert STAGE.error(problem, answer_of(VARIANTS["native"], problem), reference) < 1e-12
    assert STAGE.error(problem, answer_of(naive(), problem), reference) > 0.01


@pytest.mark.parametrize("name", ["svd", "svdpp", "nmf-biased", "knn-baseline", "knn-z-score"])
def test_half_stars(name, in_python):
    problem = problem_of(name, data=starred(60, 40, 900, half_stars=True))
    found = answer_of(VARIANTS["native"], problem)
    assert STAGE.error(problem, found, STAGE.reference(problem)) < 1e-12
    np.testing.assert_allclose(found, answer_of(naive(), problem), rtol=0, atol=1e-12)


def test_hyper_parameters_reach_surprise_and_native():
    """Each changed one changes the estimates, and both in the same way."""
    for name, given in {
        "svd": {"factors": 3, "rate": 0.02, "regularization": 0.3, "epochs": 2},
        "svdpp": {"factors": 3, "rate": 0.02, "regularization": 0.3, "epochs": 2},
        "nmf": {"factors": 2, "regularization": 0.2, "epochs": 3},
        "baseline-sgd": {"rate": 0.02, "regularization": 0.3, "epochs": 2},
        "baseline-als": {"epochs": 1},
        "knn-baseline": {"k": 3, "min_k": 3, "min_support": 4, "user_based": False, "biases": "sgd"},
    }.items():
        usual = answer_of(VARIANTS["native"], problem_of(name))
        for key, value in given.items():
            problem = problem_of(name, **{key: value})
            found = answer_of(VARIANTS["native"], problem)
            assert np.abs(found - usual).max() > 1e-6, (name, key)
            np.testing.assert_allclose(found, answer_of(naive(), problem), rtol=0, atol=1e-12, err_msg=f"{name} {key}")
    given = {"similarity": "pearson-baseline", "shrinkage": 5.0}
    problem = problem_of("knn-baseline", **given)
    np.testing.assert_array_equal(answer_of(VARIANTS["native"], problem), answer_of(naive(), problem))
    assert configured("knn-means", rate=1.0) == KNN("means"), "what a model does not have is left out"


def test_a_seed_gives_another_start_and_other_folds():
    one, other = (answer_of(VARIANTS["native"], problem_of("svd", seed=seed)) for seed in (1, 2))
    assert np.abs(one - other).max() > 1e-3


def test_folds_are_surprises():
    model_selection = pytest.importorskip("surprise.model_selection", reason="scikit-surprise is not installed")
    from technobench.cpu_pipeline.rating_models.surprise_models import testset_of, trainset_of

    problem = problem_of("svd", folds=7)  # 900 is no multiple of 7
    data = DATA
    from surprise import Reader
    from surprise.dataset import Dataset as SurpriseDataset

    whole = SurpriseDataset(Reader(rating_scale=data.scale))
    whole.raw_ratings = [(*row, None) for row in testset_of(data)]
    splits = problem.splits()
    theirs = model_selection.KFold(7, random_state=7).split(whole)
    for split, (trainset, testset) in zip(splits, theirs, strict=True):
        assert testset_of(data.of(split.test)) == testset
        assert list(trainset_of(data.of(split.train)).all_ratings()) == list(trainset.all_ratings())
    np.testing.assert_array_equal(np.sort(np.concatenate([split.test for split in splits])), np.arange(900))


def test_accuracy_is_that_of_surprise():
    surprise = pytest.importorskip("surprise", reason="scikit-surprise is not installed")
    problem = problem_of("baseline-als")
    estimates = answer_of(VARIANTS["native"], problem)
    told = [
        [
            surprise.Prediction(0, 0, true, given, {})
            for true, given in zip(DATA.values[split.test], estimates[split.test], strict=True)
        ]
        for split in problem.splits()
    ]
    rmse = np.mean([surprise.accuracy.rmse(fold, verbose=False) for fold in told])
    mae = np.mean([surprise.accuracy.mae(fold, verbose=False) for fold in told])
    np.testing.assert_allclose(accuracy(problem, estimates), (rmse, mae), rtol=1e-12)
    assert list(STAGE.quality(problem, estimates).items()) == [
        ("rmse", pytest.approx(rmse)),
        ("mae", pytest.approx(mae)),
    ]
    assert STAGE.goal == "lowest"
    assert accuracy(problem, estimates).rmse < accuracy(problem, np.full(900, DATA.values.mean())).rmse


def test_wrong_answers_are_caught():
    problem = problem_of("baseline-als")
    reference, right = STAGE.reference(problem), answer_of(VARIANTS["native"], problem)
    assert STAGE.error(problem, right, reference) <= STAGE.tolerance
    for place in (0, 450, 899):
        wrong = right.copy()
        wrong[place] += 1e-8 if wrong[place] < 4 else -1e-8
        assert STAGE.error(problem, wrong, reference) > STAGE.tolerance
    for value in (np.nan, np.inf, 5.1, 0.9):
        wrong = right.copy()
        wrong[3] = value
        assert STAGE.error(problem, wrong, reference) == float("inf")
    assert STAGE.error(problem, right[:-1], reference) == float("inf")
    assert STAGE.error(problem, right[:, None], reference) == float("inf")


@pytest.mark.parametrize("name", ["svd", "svdpp", "nmf", "knn-means", "slope-one"])
def test_an_estimate_of_another_model_is_caught(name, in_python):
    problem = problem_of(name)
    reference = STAGE.reference(problem)
    for changed in ("epochs", "k"):
        if changed in problem.model.__dataclass_fields__:
            other = replace(problem.model, **{changed: getattr(problem.model, changed) - 1})
            if changed == "k":
                other = replace(problem.model, k=5)
            answer = answer_of(VARIANTS["native"], replace(problem, model=other))
            assert STAGE.error(problem, answer, reference) > STAGE.tolerance
    answer = answer_of(VARIANTS["native"], replace(problem, seed=problem.seed + 1))
    assert STAGE.error(problem, answer, reference) > STAGE.tolerance


def test_what_takes_too_long_is_checked_on_fewer_folds_and_then_not_at_all(monkeypatch, in_python):
    problem = problem_of("svdpp")
    rated = np.bincount(DATA.users[problem.splits()[0].train]).astype(float)
    work = (rated**2).sum() * 20 * 3
    monkeypatch.setattr(rating_reference, "MOST_OPERATIONS", 1.5 * work)
    reference = STAGE.reference(problem)
    np.testing.assert_array_equal(reference.places, problem.splits()[0].test)
    monkeypatch.setattr(rating_reference, "MOST_OPERATIONS", 0.5 * work)
    assert STAGE.reference(problem) is None
    assert STAGE.reference(problem_of("slope-one")) is not None


def test_a_fold_of_svdpp_is_checked_at_the_size_of_movielens_1m():
    rated = counts_by_quartiles(USERS, RATINGS, USER_QUARTILES)
    training = SimpleNamespace(users=np.repeat(np.arange(USERS), rated * 4 // 5), ratings=np.zeros(RATINGS * 4 // 5))
    each = rating_reference.operations(SVDpp(), training)
    assert each < rating_reference.MOST_OPERATIONS < 2 * each, "one fold, as the module says"
    for model in (SVD(), MODELS["nmf"], MODELS["baseline-sgd"]):
        assert 5 * rating_reference.operations(model, training) < rating_reference.MOST_OPERATIONS


def test_prefix_and_sizes():
    problem = problem_of("svd")
    assert STAGE.sizes(problem) == {"records": 900, "users": 60, "items": len(set(DATA.items.tolist()))}
    first = STAGE.prefix(problem, 100)
    np.testing.assert_array_equal(first.data.values, DATA.values[:100])
    assert STAGE.sizes(first)["records"] == 100
    few = STAGE.prefix(problem, 2)
    assert (few.folds, few.judged) == (2, (0, 1)), "no fold is empty"


@pytest.mark.parametrize("name", ["svd", "svdpp", "nmf", "baseline-sgd"])
def test_definitions_are_the_same_compiled_and_of_a_prefix(name):
    first = STAGE.prefix(problem_of(name), 100)
    assert STAGE.error(first, answer_of(VARIANTS["native"], first), STAGE.reference(first)) < 1e-12


def test_products_refuse_what_is_not_of_products():
    for name in ("svd", "svdpp", "nmf-biased", "baseline-sgd", "random"):
        with pytest.raises(UnsupportedModelError, match="choose slope-one, nmf or a knn model"):
            batched_sparse(problem_of(name))


def test_nmf_by_products_after_all_its_epochs(in_python):
    problem = problem_of("nmf", epochs=50)
    assert STAGE.error(problem, answer_of(VARIANTS["batched-sparse"], problem), STAGE.reference(problem)) < 1e-12


@pytest.mark.parametrize("name", ["slope-one", "knn-z-score"])
def test_products_do_not_depend_on_how_many_rows_and_pairs_are_taken_at_a_time(monkeypatch, name):
    problem = problem_of(name, k=7)
    whole = answer_of(VARIANTS["batched-sparse"], problem)
    monkeypatch.setattr(products, "ARRAYS", products.ARRAYS._replace(rows=7, pairs=11))
    np.testing.assert_allclose(answer_of(VARIANTS["batched-sparse"], problem), whole, rtol=0, atol=1e-12)


def test_phases_are_told():
    prepared = native(problem_of("svd"))
    prepared.run()
    assert set(prepared.phases()) == {"fit", "predict"}
    assert all(seconds > 0 for seconds in prepared.phases().values())


def test_what_cannot_be_estimated_is_refused():
    with pytest.raises(InputError, match=r"folds=1: give at least 2 and at most .* 900"):
        problem_of("svd", folds=1)
    with pytest.raises(InputError, match="at most as many as there are ratings, 2"):
        problem_of("svd", data=DATA.of(slice(2)), folds=3)
    for value in (np.nan, np.inf, 6.0):
        ratings = DATA.values.copy()
        ratings[5] = value
        with pytest.raises(InputError, match="not within the scale of 1 to 5"):
            problem_of("svd", data=replace(DATA, values=ratings))
    with pytest.raises(InputError, match="no rating model 'als'; there are: svd"):
        problem_of("als")
    with pytest.raises(InputError, match="biases='lsq'"):
        problem_of("knn-means", biases="lsq")


def test_the_workloads_parameters_make_the_problem():
    def given(parameters):
        return SimpleNamespace(parameters={"seed": 0, **parameters}, ratings=lambda: DATA)

    parameters = {**STAGE.parameters, "model": "svdpp-cached", "folds": 4, "epochs": 6, "rate": 0.01, "seed": 9}
    problem = STAGE.problem(given(parameters))
    assert problem.model == SVDpp(cache_ratings=True, epochs=6, rate=0.01, seed=9)
    assert (problem.folds, problem.seed) == (4, 9)
    usual = STAGE.problem(given({**STAGE.parameters, "learning_rate": 0.5}))
    assert usual.model == SVD(), "the trees' learning rate is another"
    near = {**STAGE.parameters, "model": "knn-z-score", "user_based": False, "k": 5, "biases": "sgd"}
    expected = KNN("z-score", user_based=False, k=5, baseline=BaselineSGD())
    assert STAGE.problem(given(near)).model == expected
    assert STAGE.problem(given({**STAGE.parameters, "model": "slope-one"})).model == SlopeOne()


EXPECTED = json.loads((Path(__file__).parent / "surprise_expected.json").read_text(encoding="utf-8"))
"""What Surprise said of some ratings; ``tools/freeze_surprise.py`` makes it."""


def expected_problem(case):
    kept = EXPECTED["ratings"]
    users, items = (np.array(kept[name], np.int32) for name in ("users", "items"))
    data = Ratings(users, items, np.array(kept["values"]), (1.0, 5.0))
    given = {"seed": kept["seed"], "judged_folds": 1, **case["given"]}
    return rating_problem(data, case["model"], kept["folds"], kept["seed"], given)


@pytest.mark.parametrize("case", EXPECTED["cases"], ids=lambda case: f"{case['model']}-{case['given']}")
def test_estimates_are_what_surprise_said_without_it(case):
    problem = expected_problem(case)
    (split,) = problem.splits()
    expected = np.array(case["estimates"])
    assert len(expected) == 40 and len(np.unique(expected)) > 10
    found = answer_of(VARIANTS["native"], problem)
    np.testing.assert_allclose(found[split.test], expected, rtol=0, atol=1e-12)
    assert np.isnan(found[split.train]).all(), "what is not asked for is not told"
    reference = STAGE.reference(problem)
    found[split.test] = expected
    assert STAGE.error(problem, found, reference) < 1e-12
    found[split.test[0]] = np.nan
    assert STAGE.error(problem, found, reference) == float("inf")


def test_surprise_still_says_so():
    for case in EXPECTED["cases"]:
        problem = expected_problem(case)
        found = answer_of(naive(), problem)[problem.splits()[0].test]
        np.testing.assert_allclose(found, case["estimates"], rtol=0, atol=1e-12, err_msg=case["model"])


@pytest.mark.parametrize("name", ["svd", "knn-means", "slope-one"])
def test_folds_that_are_judged_are_the_first_of_all(name):
    whole, some = problem_of(name), problem_of(name, judged_folds=2)
    assert len(some.splits()) == 2
    judged = np.concatenate([split.test for split in whole.splits()[:2]])
    all_estimates, estimates = (answer_of(VARIANTS["native"], problem) for problem in (whole, some))
    np.testing.assert_array_equal(estimates[judged], all_estimates[judged])
    assert np.isfinite(estimates).sum() == len(judged) == 600
    error = (estimates - DATA.values)[some.splits()[1].test]
    first = accuracy(problem_of(name, judged_folds=1), estimates).rmse
    assert accuracy(some, estimates).rmse == pytest.approx((first + np.sqrt(np.mean(error**2))) / 2)
    with pytest.raises(InputError, match="judged_folds=4: give at least 1 and at most folds=3"):
        problem_of(name, judged_folds=4)
