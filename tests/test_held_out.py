"""What is held out, and how well vectors rank it, against lists sorted in full and metrics written out."""

import numpy as np
import pytest
import scipy.sparse as sp
from technobench.pipeline import held_out
from technobench.pipeline.errors import InputError
from technobench.pipeline.held_out import ranking_quality, split_interactions, top_items

from .test_stage_als import interactions

MATRIX = sp.csr_matrix(np.array([[1, 2, 0, 3], [4, 0, 0, 0], [0, 0, 0, 0], [0, 5, 6, 0]], np.float32))
TIMES = np.array([30, 10, 20, 90, 40, 50])
"""Of the entries 1, 2, 3; 4; 5, 6."""


@pytest.mark.parametrize(
    ("how", "held"),
    [
        ("last", [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 6, 0]]),
        ("time", [[0, 0, 0, 0], [4, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]),
    ],
)
def test_the_latest_are_held_out(how, held):
    training, rest = split_interactions(MATRIX, TIMES, how, 0.2, seed=0)
    assert rest.toarray().tolist() == held
    assert (training + rest).toarray().tolist() == MATRIX.toarray().tolist()


def test_a_share_of_each_users_items_is_held_out():
    matrix = interactions()
    training, held = split_interactions(matrix, None, "share", 0.25, seed=3)
    assert (abs(training + held - matrix)).nnz == 0
    np.testing.assert_array_equal(np.diff(held.indptr), np.diff(matrix.indptr) // 4)
    other = split_interactions(matrix, None, "share", 0.25, seed=4)[1]
    assert other is not None and abs(other - held).nnz > 0


def test_nothing_is_held_out_where_the_share_is_none():
    training, held = split_interactions(MATRIX, None, "time", 0.0, seed=0)
    assert training is MATRIX and held is None


@pytest.mark.parametrize(
    ("how", "share", "message"),
    [("first", 0.2, "split='first'"), ("time", 0.2, "no times"), ("share", 1.0, "between 0 and 1")],
)
def test_splits_that_cannot_be_are_refused(how, share, message):
    with pytest.raises(InputError, match=message):
        split_interactions(MATRIX, None, how, share, seed=0)


def sorted_lists(users, items, owned, k):
    """All items of each user by falling score, those owned left out, filled up with -1."""
    lists = []
    for scores, have in zip(users @ items.T, owned.toarray() > 0, strict=True):
        order = [item for item in np.argsort(-scores, kind="stable") if not have[item]]
        lists.append((order + [-1] * k)[:k])
    return np.array(lists)


@pytest.mark.parametrize("k", [1, 10, 34, 60])
def test_lists_are_those_of_a_full_sort(k, monkeypatch):
    monkeypatch.setattr(held_out, "_SCORE_BYTES", 8 * 35 * 7)  # blocks of seven users
    generator = np.random.default_rng(0)
    users, items = generator.normal(size=(60, 5)), generator.normal(size=(35, 5))
    owned = interactions().tolil()
    owned[4] = 1  # has all
    owned = sp.csr_matrix(owned)
    np.testing.assert_array_equal(top_items(users, items, owned, k), sorted_lists(users, items, owned, k))


def test_equal_scores_come_by_number():
    items = np.array([[1.0], [2.0], [1.0], [2.0], [0.0]])
    assert top_items(np.ones((1, 1)), items, sp.csr_matrix((1, 5)), 5).tolist() == [[1, 3, 0, 2, 4]]
    assert top_items(np.ones((1, 1)), items[:0], sp.csr_matrix((1, 0)), 2).tolist() == [[-1, -1]]


def test_quality_is_the_metrics_of_the_lists():
    generator = np.random.default_rng(1)
    training, held = split_interactions(interactions(), None, "share", 0.4, seed=0)
    users, items = generator.normal(size=(60, 5)), generator.normal(size=(35, 5))
    lists, gains, recalls = sorted_lists(users, items, training, 10), [], []
    for items_of_user, relevant in zip(lists, held.toarray() > 0, strict=True):
        if relevant.any():
            hits = [item >= 0 and relevant[item] for item in items_of_user]
            best = sum(1 / np.log2(2 + rank) for rank in range(min(10, relevant.sum())))
            gains.append(sum(hit / np.log2(2 + rank) for rank, hit in enumerate(hits)) / best)
            recalls.append(sum(hits) / relevant.sum())
    quality = ranking_quality(users, items, training, held, seed=0, k=10)
    assert next(iter(quality)) == "ndcg@10"
    assert quality["ndcg@10"] == pytest.approx(np.mean(gains), rel=1e-12)
    assert quality["recall@10"] == pytest.approx(np.mean(recalls), rel=1e-12)


def test_many_users_are_judged_by_some_of_them(monkeypatch):
    generator = np.random.default_rng(1)
    training, held = split_interactions(interactions(), None, "share", 0.4, seed=0)
    vectors = generator.normal(size=(60, 5)), generator.normal(size=(35, 5))
    whole = ranking_quality(*vectors, training, held, seed=0, k=10)
    monkeypatch.setattr(held_out, "MOST_JUDGED", 20)
    some = [ranking_quality(*vectors, training, held, seed, k=10) for seed in (0, 0, 1)]
    assert some[0] == some[1] != some[2] and some[0] != whole


def test_users_without_training_are_not_judged():
    held = sp.csr_matrix(np.eye(3, 4, dtype=np.float32))
    training = sp.csr_matrix(np.array([[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], np.float32))
    vectors = np.array([[1.0], [0], [0]]), np.array([[2.0], [1], [1], [1]])
    assert ranking_quality(*vectors, training, held, seed=0, k=2)["ndcg@2"] == 1
    assert ranking_quality(*vectors, sp.csr_matrix((3, 4)), held, seed=0) == {}
