"""Ranking metrics: against a count by hand, against scikit-learn, and where other libraries go wrong."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score
from technobench.pipeline import ranking_metrics as module
from technobench.pipeline.errors import InputError
from technobench.pipeline.ranking_metrics import ranking_metrics, user_metrics


def brute_force(lists, relevant, training, items, k):
    """Every metric by its definition: sets and loops, a user at a time."""
    owners = [max(1, sum(item in owned for owned in training)) for item in range(items)]
    placed = [item for row in lists for item in row]
    rows = []
    for row, wanted in zip(lists, relevant, strict=True):
        if not wanted:
            continue
        ranks = [rank for rank, item in enumerate(row, 1) if item in wanted]
        best = min(len(wanted), k)
        rows.append(
            (
                len(ranks) / k,
                len(ranks) / len(wanted),
                sum(1 / math.log2(1 + rank) for rank in ranks) / sum(1 / math.log2(2 + place) for place in range(best)),
                sum(sum(other <= rank for other in ranks) / rank for rank in ranks) / best,
                1 / min(ranks) if ranks else 0.0,
                1.0 if ranks else 0.0,
            )
        )
    means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    bits = [-math.log2(owners[item] / len(training)) for item in placed]
    return [len(rows), *means, len(set(placed)) / items, sum(bits) / len(bits) if bits else 0.0]


def as_matrix(sets, items):
    matrix = sp.lil_matrix((len(sets), items), dtype=np.float32)
    for row, owned in enumerate(sets):
        for item in owned:
            matrix[row, item] = 2.5
    return matrix.tocsr()


def as_lists(lists, k):
    return np.array([[*row, *[-1] * (k - len(row))] for row in lists], np.int32).reshape(len(lists), k)


@st.composite
def problems(draw):
    items, users = draw(st.integers(1, 9)), draw(st.integers(1, 7))
    k = draw(st.integers(1, 12))
    one = st.sets(st.integers(0, items - 1))
    lists = [draw(st.permutations(range(items)))[: draw(st.integers(0, k))] for _ in range(users)]
    return lists, [draw(one) for _ in range(users)], [draw(one) for _ in range(users)], items, k


@settings(max_examples=200)
@given(problems(), st.sampled_from([1, 2, 1 << 14]))
def test_all_metrics_are_those_counted_by_hand(problem, at_once):
    lists, relevant, training, items, k = problem
    arguments = as_lists(lists, k), as_matrix(relevant, items), as_matrix(training, items)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_USERS_AT_ONCE", at_once)
        if not any(relevant):
            with pytest.raises(InputError, match="nothing to judge"):
                ranking_metrics(*arguments)
            return
        found = ranking_metrics(*arguments)
    assert list(vars(found).values()) == pytest.approx(brute_force(lists, relevant, training, items, k), abs=1e-12)


@pytest.mark.parametrize("k", [1, 5, 30])
def test_ndcg_and_mean_average_precision_are_those_of_scikit_learn(k):
    rng = np.random.default_rng(0)
    users, items = 50, 30
    truth = rng.random((users, items)) < 0.2
    truth[:, 0] |= ~truth.any(axis=1)
    order = np.argsort(rng.random((users, items)), axis=1)
    scores = np.empty((users, items))
    np.put_along_axis(scores, order, np.arange(items, 0, -1.0)[None, :].repeat(users, 0), axis=1)
    found = user_metrics(order[:, :k].astype(np.int32), sp.csr_matrix(truth))
    assert found.ndcg.mean() == pytest.approx(ndcg_score(truth, scores, k=k), abs=1e-12)
    if k == items:
        assert found.average_precision.mean() == pytest.approx(
            label_ranking_average_precision_score(truth, scores), abs=1e-12
        )


def test_empty_places_are_misses():
    """Dividing by the places filled, a list of one would have a precision of 1 at any k."""
    relevant = sp.csr_matrix(np.array([[1, 1, 0, 0]]))
    found = user_metrics(np.array([[0, -1, -1, -1]], np.int32), relevant)
    assert (found.precision, found.recall, found.reciprocal_rank) == (0.25, 0.5, 1.0)
    assert found.ndcg == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_precision_divides_by_k_where_fewer_are_relevant():
    """`implicit` divides by the number of relevant items where that is less than k, which makes it 1 here."""
    relevant = sp.csr_matrix(np.array([[0, 0, 1, 0, 0]]))
    assert user_metrics(np.array([[2, 0, 1, 3]], np.int32), relevant).precision == 0.25


def test_k_beyond_the_catalogue():
    relevant = sp.csr_matrix(np.array([[1, 0, 1]]))
    found = ranking_metrics(np.array([[2, 0, 1, -1, -1, -1]], np.int32), relevant, relevant)
    assert (found.precision, found.recall, found.ndcg, found.mean_average_precision) == (2 / 6, 1.0, 1.0, 1.0)
    assert found.coverage == 1.0


def test_users_without_relevant_items_count_for_coverage_alone():
    relevant = sp.csr_matrix(np.array([[1, 0, 0], [0, 0, 0]]))
    lists = np.array([[0], [2]], np.int32)
    assert user_metrics(lists, relevant).users.tolist() == [0]
    found = ranking_metrics(lists, relevant, relevant)
    assert (found.users, found.hit_rate, found.coverage) == (1, 1.0, 2 / 3)


def test_stored_zeros_and_repeated_pairs_are_no_relevant_items():
    relevant = sp.csr_matrix((np.array([0.0, 1.0, 1.0]), np.array([0, 1, 1]), np.array([0, 3])), shape=(1, 2))
    found = user_metrics(np.array([[0, 1]], np.int32), relevant)
    assert (found.recall, found.precision, found.reciprocal_rank) == (1.0, 0.5, 0.5)
    assert relevant.nnz == 3, "the caller's matrix stays as it is"


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ([[0, 1], [2, 2]], "user 1 has an item twice"),
        ([[0, 1], [-1, 2]], "user 1 has an item after the list has ended"),
        ([[0, 3], [1, 2]], "user 0 has an item outside of the catalogue of 3"),
        ([[0, -2], [1, 2]], "user 0 has an item outside"),
        ([[0, 1]], "shape"),
        ([[], []], "shape"),
    ],
)
def test_what_are_no_lists_is_refused(lists, said):
    with pytest.raises(InputError, match=said):
        user_metrics(np.array(lists, np.int32), sp.csr_matrix(np.eye(2, 3)))


def test_training_of_another_catalogue_is_refused():
    with pytest.raises(InputError, match="training has 4 items"):
        ranking_metrics(np.zeros((2, 1), np.int32), sp.csr_matrix(np.eye(2, 3)), sp.csr_matrix(np.eye(2, 4)))
