"""The native rating models as a library: ids of any kind, what is unknown, repeats and other oddities, threads."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.cpu_pipeline.kernels import threads
from technobench.cpu_pipeline.ratings import (
    KNN,
    NMF,
    SVD,
    BaselineALS,
    BaselineSGD,
    NormalPredictor,
    SlopeOne,
    SVDpp,
)
from technobench.pipeline import rating_reference
from technobench.pipeline.errors import InputError
from technobench.pipeline.interactions import Ratings
from technobench.pipeline.rating_training import Training

from .ratings_data import starred

LIBRARY = [
    SVD(epochs=4),
    SVD(factors=3, epochs=30, biased=False, rate=0.05),
    SVDpp(epochs=3),
    NMF(epochs=5),
    NMF(epochs=5, biased=True),
    SlopeOne(),
    BaselineALS(),
    BaselineSGD(),
    NormalPredictor(seed=4),
    KNN(k=3),
    KNN("means", similarity="cosine", user_based=False),
    KNN("z-score", similarity="pearson", min_support=2),
    KNN("baseline", similarity="pearson-baseline", shrinkage=1.0),
]
MODELS = pytest.mark.parametrize("model", LIBRARY, ids=lambda model: repr(model)[:40])

USERS = ["Zoë", "李", "a b", "Zoë", "李", "😀", "Zoë", "", "a b", "😀", "李"]
ITEMS = ["x", "x", "x", "ÿ", "ÿ", "ÿ", "3", "3", "3", "x", "new"]
STARS = [5, 4, 1, 3, 4, 2, 2, 5, 4, 1, 3]


def by_surprise(model, users, items, ratings, asked_users, asked_items, scale):
    """float64[m] by Surprise itself on the ids as they are, from triples in Python."""
    surprise = pytest.importorskip("surprise", reason="package 'surprise' is not installed")
    from surprise.dataset import Dataset
    from technobench.cpu_pipeline.rating_models.surprise_models import algorithm_of, tested

    rows = [(user, item, float(rating), None) for user, item, rating in zip(users, items, ratings, strict=True)]
    trainset = Dataset(surprise.Reader(rating_scale=scale)).construct_trainset(rows)
    asked = [(user, item, 0.0) for user, item in zip(asked_users, asked_items, strict=True)]
    return tested(algorithm_of(model).fit(trainset), asked, model)


def all_pairs(users, items):
    """Each known user and an unknown one, with each item and an unknown one."""
    return zip(*product([*dict.fromkeys(users), "?"], [*dict.fromkeys(items), "?"]), strict=True)


@MODELS
def test_text_as_ids_and_what_is_unknown(model):
    asked = tuple(all_pairs(USERS, ITEMS))
    found = model.fit(USERS, ITEMS, STARS, scale=(1, 5)).predict(*asked)
    expected = by_surprise(model, USERS, ITEMS, STARS, *asked, scale=(1, 5))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@MODELS
def test_repeated_pairs_all_count(model):
    data = starred(12, 9, 60)
    again = np.random.default_rng(0).integers(0, 60, 25)
    users, items = np.append(data.users, data.users[again]), np.append(data.items, data.items[again])
    ratings = np.append(data.values, 6 - data.values[again])
    asked = data.users, data.items
    found = model.fit(users, items, ratings, (1, 5)).predict(*asked)
    expected = by_surprise(
        model, users.tolist(), items.tolist(), ratings, *(each.tolist() for each in asked), scale=(1, 5)
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@MODELS
def test_any_real_numbers_as_ratings(model):
    generator = np.random.default_rng(5)
    users, items = generator.integers(0, 9, 70), generator.integers(-4, 4, 70)
    ratings = generator.uniform(0.25, 7, 70)
    asked = users[:40], items[10:50]
    found = model.fit(users, items, ratings).predict(*asked)
    scale = ratings.min(), ratings.max()
    if isinstance(model, SlopeOne):  # Surprise takes whole stars only
        expected = by_definition(model, users, items, ratings, *asked)
    else:
        expected = by_surprise(
            model, users.tolist(), items.tolist(), ratings, *(each.tolist() for each in asked), scale=scale
        )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert len(np.unique(found)) > 5


def by_definition(model, users, items, ratings, asked_users, asked_items):
    ratings = np.asarray(ratings, np.float64)
    scale = float(ratings.min()), float(ratings.max())
    training = Training(Ratings(np.asarray(users), np.asarray(items), ratings, scale))
    asked = Ratings(np.asarray(asked_users), np.asarray(asked_items), np.zeros(len(asked_users)), scale)
    return rating_reference._estimates(model, training, asked)


def is_exact(model):
    """Of few ratings, many deviate from the baseline by rounding alone, which makes similarities of any size."""
    return isinstance(model, KNN) and not model.uses_baseline


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(-2, 3)), min_size=1, max_size=30),
    st.sampled_from([SlopeOne(), BaselineALS(), *(each for each in LIBRARY if is_exact(each))]),
    st.booleans(),
)
def test_any_few_ratings(rows, model, halved):
    users, items, ratings = (np.array(column) for column in zip(*rows, strict=True))
    ratings = ratings / 2 if halved else ratings
    asked = tuple(np.array(each) for each in zip(*product(range(7), range(7)), strict=True))
    found = model.fit(users, items, ratings).predict(*asked)
    expected = by_definition(model, users, items, ratings, *asked)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=25))
def test_any_few_ratings_of_svdpp(rows):
    users, items, ratings = (np.array(column) for column in zip(*rows, strict=True))
    model = SVDpp(factors=3, epochs=3, rate=0.05)
    asked = tuple(np.array(each) for each in zip(*product(range(5), range(5)), strict=True))
    expected = by_definition(model, users, items, ratings, *asked)
    np.testing.assert_allclose(model.fit(users, items, ratings).predict(*asked), expected, rtol=0, atol=1e-12)


@MODELS
def test_one_rating(model):
    fitted = model.fit(["u"], ["i"], [3.0])
    np.testing.assert_array_equal(fitted.predict(["u", "u", "?", "?"], ["i", "?", "i", "?"]), [3, 3, 3, 3])


@MODELS
def test_constant_ratings_are_told_as_they_are(model):
    """Where the scale leaves room, too: no deviation, no standard deviation, no similarity is to be divided by."""
    data = starred(12, 9, 60)
    fitted = model.fit(data.users, data.items, np.full(60, 3.0), scale=(1, 5))
    found = fitted.predict(data.users, data.items)
    assert np.isfinite(found).all()
    if isinstance(model, KNN | SlopeOne | BaselineALS | BaselineSGD | NormalPredictor):
        np.testing.assert_array_equal(found, 3.0)
    np.testing.assert_array_equal(model.fit(data.users, data.items, np.full(60, 3.0)).predict(["?"], ["?"]), [3.0])


def test_ratings_of_zero_have_no_cosine():
    fitted = KNN(similarity="cosine").fit([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0], scale=(0, 5))
    np.testing.assert_array_equal(fitted.predict([2, 1], [1, 0]), [0, 0])


def test_more_neighbours_than_there_are():
    data = starred(12, 9, 60)
    every, more = (
        KNN(k=k).fit(data.users, data.items, data.values).predict(data.users, data.items) for k in (60, 10**6)
    )
    np.testing.assert_array_equal(every, more)
    fewer = KNN(k=1).fit(data.users, data.items, data.values).predict(data.users, data.items)
    assert np.abs(fewer - every).max() > 0.1


def test_too_few_neighbours_or_too_little_in_common():
    data = starred(12, 9, 60)
    mean, asked = data.values.mean(), (data.users, data.items)
    few = KNN(min_k=50).fit(*asked, data.values).predict(*asked)
    np.testing.assert_allclose(few, mean)
    means = pd.Series(data.values).groupby(data.users).transform("mean")
    np.testing.assert_allclose(KNN("means", min_support=50, min_k=2).fit(*asked, data.values).predict(*asked), means)


@MODELS
def test_forms_of_input_are_one(model):
    expected = model.fit(USERS, ITEMS, STARS).predict(USERS, ITEMS)
    for form in (np.array, pd.Series, pd.Index, lambda each: pd.Series(each, index=range(5, 5 + len(each)))):
        ratings = np.array(STARS, np.int8)
        found = model.fit(form(USERS), form(ITEMS), ratings).predict(form(USERS), form(ITEMS))
        np.testing.assert_array_equal(found, expected)
    assert len(model.fit(USERS, ITEMS, STARS).predict([], [])) == 0


def test_what_cannot_be_learned_from_is_refused():
    for wrong in (np.nan, np.inf, -np.inf):
        with pytest.raises(InputError, match=r"rating 1 .* leave out"):
            SVD().fit(["a", "b"], ["x", "y"], [1.0, wrong])
    with pytest.raises(InputError, match="ratings must be numbers"):
        SVD().fit(["a"], ["x"], ["five"])
    with pytest.raises(InputError, match="2 users, 1 items and 2 ratings"):
        SVD().fit(["a", "b"], ["x"], [1, 2])
    with pytest.raises(InputError, match="no rating to learn from"):
        SVD().fit([], [], [])
    with pytest.raises(InputError, match=r"user of rating 1 .* missing"):
        SVD().fit(["a", None], ["x", "y"], [1, 2])
    with pytest.raises(InputError, match=r"item of rating 0 .* missing"):
        SVD().fit([1, 2], [np.nan, 2.0], [1, 2])
    with pytest.raises(InputError, match="lowest rating first"):
        SVD().fit(["a"], ["x"], [3], scale=(5, 1))
    with pytest.raises(InputError, match="2 users and 1 items"):
        SVD().fit(["a"], ["x"], [3]).predict(["a", "a"], ["x"])
    with pytest.raises(InputError, match="one number per rating"):
        SVD().fit(["a"], ["x"], [[3]])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: SVD(factors=0), "factors=0 must be at least 1"),
        (lambda: SVDpp(rate=float("nan")), "rate=nan"),
        (lambda: NMF(init_low=-1.0), "init_low"),
        (lambda: NMF(init_low=2.0), "init_high=1.0 must be at least 2"),
        (lambda: KNN(k=0), "k=0"),
        (lambda: KNN("median"), "centring='median' is not known; choose from basic, means"),
        (lambda: KNN(similarity="jaccard"), "similarity='jaccard'"),
        (lambda: KNN(min_support=0), "min_support=0"),
        (lambda: BaselineALS(epochs=-1), "epochs=-1"),
        (lambda: BaselineSGD(regularization=-1.0), "regularization"),
    ],
)
def test_hyper_parameters_out_of_range_are_refused(make, told):
    with pytest.raises(InputError, match=told):
        make()


@MODELS
def test_as_many_threads_as_one_likes(model, monkeypatch):
    data = starred(40, 30, 500)
    fitted = model.fit(data.users, data.items, data.values)
    expected = fitted.predict(data.users, data.items)
    for count in (1, 3):
        monkeypatch.setattr(threads, "thread_count", lambda count=count: count)
        again = model.fit(data.users, data.items, data.values)
        np.testing.assert_array_equal(again.predict(data.users, data.items), expected)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: fitted.predict(data.users, data.items), range(6)):
            np.testing.assert_array_equal(found, expected)


def test_predictions_are_within_the_scale():
    data = starred(40, 30, 500)
    found = SVD().fit(data.users, data.items, data.values, scale=(3, 3.5)).predict(data.users, data.items)
    assert (found.min(), found.max()) == (3.0, 3.5)
