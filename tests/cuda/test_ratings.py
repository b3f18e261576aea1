"""Ratings by array algebra on CuPy's stand-in: by the stage's own measure, against native, and what is refused."""

import numpy as np
import pytest
from technobench.cpu_pipeline.ratings import native
from technobench.gpu_pipeline import ratings
from technobench.gpu_pipeline.ratings_memory import RatingsPlan
from technobench.pipeline.errors import UnsupportedModelError
from technobench.pipeline.interactions import Ratings
from technobench.pipeline.rating_models import MODELS
from technobench.pipeline.stages.ratings import RatingsStage, rating_problem

from ..ratings_data import starred
from .sparse_standin import in_place_of_cupy
from .standin import Array, StandIn

STAGE = RatingsStage()
DATA = starred(60, 40, 900)
NEAR = [name for name in MODELS if name.startswith("knn")]


@pytest.fixture
def answer_of(monkeypatch):
    """Set-up, run and fetch as the harness calls them; CuPy is what is not real."""
    in_place_of_cupy(monkeypatch, StandIn())

    def answer(problem):
        prepared = ratings.cupy(problem)
        assert prepared.ran_on() == "cpu", "nothing has run"
        found = prepared.run()
        prepared.sync()
        assert isinstance(found, Array) and prepared.ran_on() == "cuda"
        return prepared.fetch(found)

    return answer


def problem_of(name, data=DATA, **given):
    return rating_problem(data, name, 3, 7, {"seed": 7, **given})


def assert_right(answer_of, problem):
    answer = answer_of(problem)
    assert STAGE.error(problem, answer, STAGE.reference(problem)) < 1e-12
    expected = native(problem).run()
    assert len(np.unique(expected)) > 300
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["slope-one", *NEAR])
@pytest.mark.parametrize("half_stars", [False, True], ids=["stars", "half stars"])
def test_every_model_of_products(answer_of, name, half_stars):
    assert_right(answer_of, problem_of(name, starred(60, 40, 900, half_stars=half_stars)))


@pytest.mark.parametrize("user_based", [True, False], ids=["users", "items"])
@pytest.mark.parametrize("similarity", ["cosine", "msd", "pearson"])
@pytest.mark.parametrize("name", NEAR)
def test_neighbours_as_near_as_each_other_are_taken_in_the_order_given(answer_of, name, similarity, user_based):
    given = {"similarity": similarity, "user_based": user_based, "k": 7, "min_k": 2, "min_support": 3}
    assert_right(answer_of, problem_of(name, **given))


def test_nmf_after_all_its_epochs(answer_of):
    assert_right(answer_of, problem_of("nmf"))


def test_ratings_of_zero_users_and_items_met_once_and_pairs_repeated(answer_of):
    random = np.random.default_rng(0)
    users, items = random.zipf(1.5, 700) % 50, random.zipf(1.4, 700) % 60
    values = random.integers(0, 6, 700).astype(np.float64)
    values[users == 3] = 0
    data = Ratings(users.astype(np.int32) * 7, items.astype(np.int32) * 3, values, (0.0, 5.0))
    for name in ("slope-one", "nmf", *NEAR):
        assert_right(answer_of, problem_of(name, data))


@pytest.mark.parametrize("name", ["slope-one", "knn-z-score"])
def test_some_rows_and_pairs_at_a_time(monkeypatch, answer_of, name):
    monkeypatch.setattr(ratings, "planned", lambda *_: RatingsPlan(True, rows=7, pairs=11))
    assert_right(answer_of, problem_of(name))


def test_folds_that_are_not_judged_are_not_told(answer_of):
    problem = problem_of("slope-one", judged_folds=1)
    answer = answer_of(problem)
    assert STAGE.error(problem, answer, STAGE.reference(problem)) < 1e-12
    assert np.isfinite(answer).sum() == 300


@pytest.mark.parametrize(
    ("name", "given", "why"),
    [
        ("svd", {}, "SVD is not made of products.*choose slope-one, nmf or a knn model"),
        ("svd-unbiased", {}, "SVD is"),
        ("svdpp", {}, "SVDpp is"),
        ("nmf-biased", {}, "NMF with biases is"),
        ("baseline-als", {}, "BaselineALS"),
        ("random", {}, "NormalPredictor"),
        ("knn-basic", {"similarity": "pearson-baseline"}, "choose another similarity, or native"),
        ("knn-baseline", {"biases": "sgd"}, "choose biases=als"),
    ],
)
def test_what_the_order_of_ratings_decides_is_refused(name, given, why):
    """Without CuPy, too: a user learns that the model is not for a GPU before any is bought."""
    with pytest.raises(UnsupportedModelError, match=why):
        ratings.cupy(problem_of(name, **given))
