"""Splits: every interaction on one side, as documented, the same for a seed, whatever is left to chance."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from technobench.pipeline.errors import InputError
from technobench.pipeline.splits import by_time, hold_out, k_folds, leave_last_out


def surprise_folds(count, folds, seed):
    """As `surprise.model_selection.KFold.split` cuts, in its own arithmetic of starts and stops."""
    indices = np.arange(count)
    np.random.RandomState(seed).shuffle(indices)
    start = stop = 0
    for fold in range(folds):
        start = stop
        stop += count // folds + (fold < count % folds)
        yield [*indices[:start], *indices[stop:]], [*indices[start:stop]]


@pytest.mark.parametrize(("count", "folds", "seed"), [(10, 5, 0), (23, 5, 3), (2, 2, 1), (101, 7, 9)])
def test_folds_are_those_of_surprise(count, folds, seed):
    ours = [(split.train.tolist(), split.test.tolist()) for split in k_folds(count, folds, seed)]
    assert ours == list(surprise_folds(count, folds, seed))
    assert sorted(position for _, test in ours for position in test) == list(range(count))


def test_folds_of_a_known_seed():
    """RandomState(0).shuffle(arange(6)), which no version of NumPy may change (NEP 19)."""
    assert [split.test.tolist() for split in k_folds(6, 3, 0)] == [[5, 2], [1, 3], [0, 4]]


@pytest.mark.parametrize(("count", "folds"), [(10, 1), (10, 0), (3, 4), (0, 2)])
def test_impossible_folds_are_refused(count, folds):
    with pytest.raises(InputError, match="folds"):
        list(k_folds(count, folds))


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=40), st.integers(0, 3), st.booleans())
def test_the_last_of_each_user_is_left_out(events, seed, timed):
    users = np.array([user for user, _ in events], np.int32)
    times = np.array([time for _, time in events], np.int64)
    split = leave_last_out(users, times if timed else None, seed)
    assert sorted([*split.train, *split.test]) == list(range(len(events)))
    assert (np.diff(split.train) > 0).all() and (np.diff(split.test) > 0).all()
    tested = users[split.test].tolist()
    counts = {user: users.tolist().count(user) for user in set(users.tolist())}
    assert sorted(tested) == sorted(user for user, count in counts.items() if count > 1)
    if timed:
        assert all(times[place] == times[users == users[place]].max() for place in split.test)


def test_chance_does_not_follow_the_order_of_the_file():
    """Where all is of one second, or times are not known, each of a user's interactions is left out for some seed."""
    users = np.zeros(4, np.int32)
    for times in (None, np.full(4, 7)):
        assert {leave_last_out(users, times, seed).test.item() for seed in range(60)} == {0, 1, 2, 3}
        assert leave_last_out(users, times, 5).test == leave_last_out(users, times, 5).test


@given(st.lists(st.integers(-3, 12), min_size=1, max_size=40), st.sampled_from([0.1, 0.2, 0.5, 0.9]))
def test_by_time_nothing_tested_is_earlier_than_what_is_learned(times, share):
    times = np.array(times, np.int64)
    split = by_time(times, share)
    assert sorted([*split.train, *split.test]) == list(range(len(times)))
    assert len(split.test) <= share * len(times) + 1e-9
    if len(split.test):
        assert times[split.train].max() < times[split.test].min()
        # One second more would be too much: the test part is as large as its share allows.
        edge = times[split.train].max()
        assert len(split.test) + (times == edge).sum() > share * len(times) - 1e-9


def test_by_time_at_a_known_place():
    times = np.array([50, 10, 40, 20, 30])
    assert by_time(times, 0.4).test.tolist() == [0, 2]
    assert by_time(np.array([3, 3, 3]), 0.5).test.tolist() == []
    with pytest.raises(InputError, match="no interactions"):
        by_time(np.array([], np.int64))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_impossible_shares_are_refused(share):
    with pytest.raises(InputError, match="share"):
        by_time(np.arange(3), share)
    with pytest.raises(InputError, match="share"):
        hold_out(sp.csr_matrix((2, 2)), share)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.29, 0.5])
def test_hold_out_takes_a_share_of_each_user(share):
    rng = np.random.default_rng(1)
    dense = (rng.random((60, 200)) < 0.2).astype(np.float32) * rng.integers(1, 9, (60, 200))
    dense[3], dense[4] = 0, 1
    dense[5, 100:], dense[5, :100] = 0, 1  # of 100 items: 0.29 * 100 is below 29
    matrix = sp.csr_matrix(dense.astype(np.float32))
    train, held = hold_out(matrix, share, seed=4)
    assert (train + held != matrix).nnz == 0
    assert train.multiply(held).nnz == 0
    percent = round(100 * share)
    assert np.diff(held.indptr).tolist() == [int(items) * percent // 100 for items in np.diff(matrix.indptr)]
    assert held.dtype == matrix.dtype and train.has_sorted_indices and held.has_sorted_indices
    again, other = hold_out(matrix, share, seed=4)[1], hold_out(matrix, share, seed=5)[1]
    assert (again != held).nnz == 0 and (other != held).nnz > 0


def test_hold_out_gives_every_item_the_same_chance():
    matrix = sp.csr_matrix(np.ones((4_000, 5), np.float32))
    held = hold_out(matrix, 0.4)[1].sum(axis=0)
    # 1,600 expected of each, standard deviation 31.
    assert np.abs(held - 1_600).max() < 5 * 31


def test_users_with_too_few_items_keep_them():
    matrix = sp.csr_matrix(np.tril(np.ones((6, 6), np.float32)))
    _, held = hold_out(matrix, 0.25)
    assert np.diff(held.indptr).tolist() == [0, 0, 0, 1, 1, 1]
