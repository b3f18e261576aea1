"""The `planted-ratings` dataset: the shape of MovieLens 1M, and models that differ on it as they do there."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import svds
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.datasets.planted_ratings import GENRES, ITEM_QUARTILES, USER_QUARTILES, counts_by_quartiles
from technobench.pipeline.splits import k_folds
from technobench.pipeline.workload import Workload


@pytest.fixture(scope="module")
def workload():
    return Workload(catalogue.get("planted-ratings"))


@pytest.fixture(scope="module")
def ratings(workload):
    return workload.ratings()


def test_shape_is_that_of_movielens_1m(ratings):
    assert len(ratings.values) == 1_000_209
    assert len(set(zip(ratings.users.tolist(), ratings.items.tolist(), strict=True))) == 1_000_209
    users, items = np.bincount(ratings.users), np.bincount(ratings.items)
    assert (len(users), len(items)) == (len(ratings.user_ids), len(ratings.item_ids)) == (6_040, 3_706)
    assert np.quantile(users, [0, 0.25, 0.5, 0.75, 1]).tolist() == [20, 44, 96, 208, 2_314]
    assert items.min() == 1
    assert np.quantile(items, [0.25, 0.5, 0.75, 1]) == pytest.approx([33, 123.5, 350, 3_428], rel=0.1)


def test_stars_are_those_of_movielens_1m(ratings):
    shares = np.bincount(ratings.values.astype(int), minlength=6)[1:] / len(ratings.values)
    assert (100 * shares).round(1).tolist() == [5.6, 10.8, 26.1, 34.9, 22.6]
    assert ratings.values.mean() == pytest.approx(3.5816, abs=1e-4), "as published"


def test_what_many_rate_is_rated_higher(ratings):
    count = np.bincount(ratings.items)
    mean = np.bincount(ratings.items, ratings.values) / count
    assert 0.2 < np.corrcoef(np.log(count), mean)[0, 1] < 0.6


def biases(users, items, residuals, penalty=10.0):
    """Penalised user and item biases, fitted by turns."""
    by_user, by_item = np.zeros(6_040), np.zeros(3_706)
    for _ in range(8):
        rest = residuals - by_user[users]
        by_item = np.bincount(items, rest, minlength=3_706) / (penalty + np.bincount(items, minlength=3_706))
        rest = residuals - by_item[items]
        by_user = np.bincount(users, rest, minlength=6_040) / (penalty + np.bincount(users, minlength=6_040))
    return by_user, by_item


def test_models_differ_as_on_the_real_data(ratings):
    """RMSE of the mean (1.117 on MovieLens 1M), of biases (0.91), and with low rank below that."""
    split = next(iter(k_folds(len(ratings.values))))
    users, items, values = (part.astype(np.int64) for part in (ratings.users, ratings.items, ratings.values))
    mean = values[split.train].mean()
    by_user, by_item = biases(users[split.train], items[split.train], values[split.train] - mean)
    rest = values - mean - by_user[users] - by_item[items]
    learned = sp.csr_matrix((rest[split.train], (users[split.train], items[split.train])), shape=(6_040, 3_706))
    u, s, vt = svds(learned, k=12, random_state=0)
    predicted = np.einsum("ij,ij->i", (u * s)[users[split.test]], vt.T[items[split.test]])
    half = len(split.test) // 2
    # Absent ratings count as 0 in this SVD, which shrinks it; how much is learned on one half of the test part.
    stretch = predicted[:half] @ rest[split.test][:half] / (predicted[:half] @ predicted[:half])
    judged = split.test[half:]
    rmse = [
        np.sqrt(np.mean(errors**2))
        for errors in (values[judged] - mean, rest[judged], rest[judged] - stretch * predicted[half:])
    ]
    assert rmse[0] == pytest.approx(1.117, abs=0.01)
    assert rmse[1] == pytest.approx(0.91, abs=0.015)
    assert rmse[2] < rmse[1] - 0.01


def test_times_are_sessions(ratings):
    """By user ascending; most ratings follow within a minute, and many users come back on another day."""
    same_user = np.diff(ratings.users) == 0
    gaps = np.diff(ratings.timestamps)[same_user]
    assert (np.diff(ratings.users) >= 0).all() and (gaps >= 0).all()
    assert np.median(gaps) < 60
    returning = set(ratings.users[1:][same_user][gaps > 86_400].tolist())
    assert 0.3 < len(returning) / 6_040 < 0.9
    assert ratings.timestamps.min() >= 956_703_932 and ratings.timestamps.max() <= 1_046_454_590


def test_genres_tell_something_of_tastes(workload, ratings):
    items = workload.items()
    assert items["id"].to_pylist() == list(ratings.item_ids)
    genres = items["genres"].to_pylist()
    assert {len(each) for each in genres} == {1, 2, 3} and {name for each in genres for name in each} == set(GENRES)
    # Items of the same genres are rated by the same users more often: mean cosine of centred columns.
    matrix = workload.interactions().matrix
    popular = np.argsort(-np.bincount(ratings.items))[:400]
    owned = matrix[:, popular].toarray()
    similar = np.corrcoef(owned.T)
    first = np.array([genres[item][0] for item in popular])
    same = (first[:, None] == first) & ~np.eye(400, dtype=bool)
    other = first[:, None] != first
    assert similar[same].mean() > similar[other].mean() + 0.005


def test_it_is_the_same_every_time(workload, tmp_path):
    from technobench.pipeline.datasets import planted_ratings

    again = planted_ratings.make(tmp_path, 1.0, (), lambda done, total: None)
    assert again.digest == workload.dataset.digest


@pytest.mark.parametrize(
    ("number", "total", "quartiles"), [(6_040, 1_000_209, USER_QUARTILES), (3_706, 1_000_209, ITEM_QUARTILES)]
)
def test_counts_add_up_and_have_the_quartiles(number, total, quartiles):
    counts = counts_by_quartiles(number, total, quartiles)
    assert counts.sum() == total
    assert np.quantile(counts, [0, 0.25, 0.5, 0.75, 1]) == pytest.approx(quartiles, abs=1)
