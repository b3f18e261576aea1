"""The `planted` dataset: its shape, its power laws, and a structure that a model of low rank can find."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import svds
from technobench.pipeline.datasets import catalogue, interaction_file, planted
from technobench.pipeline.datasets.planted import BLOCK, FEWEST, Planted
from technobench.pipeline.errors import InputError
from technobench.pipeline.ranking_metrics import ranking_metrics
from technobench.pipeline.splits import hold_out
from technobench.pipeline.workload import Workload

SCALE = 0.25


@pytest.fixture(scope="module")
def dataset():
    return catalogue.get("planted", SCALE)


@pytest.fixture(scope="module")
def matrix(dataset):
    return Workload(dataset).interactions().matrix


def test_shape(dataset, matrix):
    assert (dataset.kind, dataset.users, dataset.items, dataset.records) == ("interactions", 1_510, 3_706, 250_000)
    assert matrix.shape == (1_510, 3_706)
    assert matrix.nnz == 250_000 and (matrix.data == 1).all(), "each pair at most once"


@pytest.mark.parametrize(
    ("scale", "shape"),
    [(1, (6_040, 3_706, 1_000_000)), (4, (24_160, 7_412, 4_000_000)), (100, (604_000, 37_060, 100_000_000))],
)
def test_shapes_of_scales(scale, shape):
    shaped = Planted.of_scale(scale)
    assert (shaped.users, shaped.items, shaped.interactions) == shape
    assert shaped.activity.sum() == shape[2]
    assert shaped.activity.min() == FEWEST and shaped.activity.max() <= shape[1] // 5


def test_no_user_is_refused():
    with pytest.raises(InputError, match="no user"):
        Planted.of_scale(1e-5)
    assert Planted.of_scale(1 / planted.USERS).activity.tolist() == [166]


def test_users_and_items_follow_power_laws(matrix):
    users, items = np.diff(matrix.indptr), np.bincount(matrix.indices, minlength=matrix.shape[1])
    # MovieLens 1M has mean 165.6, median 96 and 25 % below 44.
    assert np.median(users) == pytest.approx(96, rel=0.15) and np.quantile(users, 0.25) == pytest.approx(44, rel=0.3)
    ranked = np.sort(items)[::-1]
    assert ranked[: len(ranked) // 10].sum() > 0.4 * matrix.nnz, "a tenth of the items has much of all"
    place = np.arange(100, 1_500)
    slope = np.polyfit(np.log(place), np.log(np.maximum(ranked[place], 1)), 1)[0]
    assert -2.0 < slope < -0.8


def test_the_structure_can_be_found(matrix):
    """A truncated SVD finds what popularity does not: held-out items are ranked much higher."""
    train, held = hold_out(matrix, 0.2)
    u, s, vt = svds(train.astype(np.float64), k=32, random_state=0)
    popularity = np.tile(np.asarray(train.sum(axis=0)).ravel(), (matrix.shape[0], 1))
    by_model = {"svd": (u * s) @ vt, "popularity": popularity}
    ndcg = {}
    for name, scores in by_model.items():
        scores[train.nonzero()] = -np.inf
        lists = np.argsort(-scores, axis=1)[:, :50].astype(np.int32)
        ndcg[name] = ranking_metrics(lists, held, train).ndcg
    assert ndcg["svd"] > 1.5 * ndcg["popularity"] > 0


def test_a_block_is_the_same_whatever_was_drawn_before(dataset, matrix):
    users, items = Planted.of_scale(SCALE).block(BLOCK)
    assert users.min() == BLOCK
    alone = sp.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=matrix.shape)
    assert (alone[BLOCK:] != matrix[BLOCK:]).nnz == 0


def test_how_rows_are_grouped_changes_nothing(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(interaction_file, "ROWS_AT_ONCE", 1_000)
    again = planted.make(tmp_path, SCALE, (), lambda done, total: None)
    other = Workload(again).interactions()
    ours = Workload(dataset).interactions()
    assert (ours.matrix != other.matrix).nnz == 0
    assert ours.user_ids == other.user_ids and len(set(ours.item_ids)) == ours.matrix.shape[1]


def test_genres_tell_something_of_tastes(dataset, matrix):
    """One to three topics an item; users have more items of the genres that they have already than of others."""
    genres = Workload(dataset).items()["genres"].to_pylist()
    assert {len(each) for each in genres} == {1, 2, 3}
    assert {name for each in genres for name in each} == set(planted.TOPIC_NAMES)
    has = np.array([[name in each for name in planted.TOPIC_NAMES] for each in genres], float)
    train, held = hold_out(matrix, 0.2)
    profiles = train @ has
    profiles /= profiles.sum(axis=1, keepdims=True)
    same = (profiles @ has.T)[held.nonzero()].mean()
    by_chance = (np.roll(profiles, 1, axis=0) @ has.T)[held.nonzero()].mean()
    assert same > 1.2 * by_chance
