"""`TopK` against all scores in float64, sorted: ties, extremes, lists that end, early stops and threads."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.cpu_pipeline import top_k
from technobench.cpu_pipeline.kernels import threads
from technobench.cpu_pipeline.recommend import RecommendationLists, TopK
from technobench.pipeline.errors import InputError


def sorted_lists(users, items, k, owned=None, barred=()):
    """All scores, each a cumulative sum in float64, sorted with the item's number."""
    lists, scores = np.full((len(users), k), -1), np.full((len(users), k), -np.inf)
    for row, user in enumerate(users.astype(np.float64)):
        products = user * items.astype(np.float64)
        hidden = {*barred, *(() if owned is None else owned[[row]].indices.tolist())}
        ranked = sorted((-total, item) for item, total in enumerate(np.cumsum(products, axis=1)[:, -1].tolist()))
        best = [(item, -total) for total, item in ranked if item not in hidden][:k]
        if best:
            lists[row, : len(best)], scores[row, : len(best)] = zip(*best, strict=True)
    return lists, scores


def check(users, items, k, owned=None, barred=None):
    found = TopK(items).recommend(users, k, owned, barred)
    lists, scores = sorted_lists(users, items, k, owned, () if barred is None else barred.tolist())
    np.testing.assert_array_equal(found.items, lists)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(found.scores, scores.astype(np.float32))
    assert found.items.dtype == np.int32 and found.scores.dtype == np.float32


def normal(rows, factors, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, factors)).astype(np.float32)


def ownership(users, items, share, seed=1):
    return sp.random(users, items, share, format="csr", dtype=np.float32, random_state=np.random.default_rng(seed))


@st.composite
def problems(draw):
    users, items, factors = draw(st.integers(0, 5)), draw(st.integers(1, 90)), draw(st.integers(1, 5))
    coarse = st.sampled_from([-2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0])
    numbers = draw(st.sampled_from([coarse, st.floats(width=32, allow_nan=False, allow_infinity=False)]))
    user_vectors = draw(hnp.arrays(np.float32, (users, factors), elements=numbers))
    item_vectors = draw(hnp.arrays(np.float32, (items, factors), elements=numbers))
    owned = draw(hnp.arrays(np.int8, (users, items), elements=st.integers(0, 1)))
    barred = draw(st.lists(st.integers(0, items - 1), unique=True))
    return user_vectors, item_vectors, draw(st.integers(1, 100)), sp.csr_matrix(owned), np.array(barred, np.int64)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_lists_are_all_scores_sorted(problem):
    check(*problem)


@pytest.mark.parametrize("factors", [1, 7, 65])
@pytest.mark.parametrize("items", [1, 63, 64, 65, 700, 2500])
def test_shapes_that_are_no_multiple_of_anything(items, factors):
    check(normal(37, factors), normal(items, factors, 1), 10, ownership(37, items, 0.1))


@pytest.mark.parametrize("k", [1, 150, 700, 1000])
def test_long_lists(k):
    check(normal(5, 16), normal(700, 16, 1), k, ownership(5, 700, 0.2))


@pytest.mark.parametrize("users", [1, 256, 257, 600])
def test_numbers_of_users(users):
    check(normal(users, 4), normal(300, 4, 1), 5, ownership(users, 300, 0.05))


def test_equal_vectors_come_in_the_order_of_their_numbers():
    """More of them than a buffer holds, and in the exact order although float32 cannot tell the rest from them."""
    items = np.tile(normal(3, 9, 1), (400, 1))
    items[777] *= np.float32(1 + 2**-22)
    check(np.vstack([normal(4, 9), np.zeros((2, 9), np.float32)]), items, 10, ownership(6, 1200, 0.5))


def test_scores_that_only_float64_tells_apart():
    """Large parts that cancel: float32 leaves nothing of what the items differ by."""
    rest = np.random.default_rng(2).permutation(1500).astype(np.float32)
    items = np.stack([np.full(1500, 3e7), rest, np.full(1500, -3e7)], axis=1).astype(np.float32)
    users = np.ones((2, 3), np.float32)
    check(users, items, 10)
    assert rest[TopK(items).recommend(users, 3).items[0]].tolist() == [1499, 1498, 1497]


@pytest.mark.parametrize("user_scale", [1e-40, 1e-20, 1.0, 1e38])
@pytest.mark.parametrize("item_scale", [1e-45, 1e-30, 1e37])
def test_huge_and_denormal_vectors(user_scale, item_scale):
    users = (normal(3, 6).astype(np.float64) * user_scale).clip(-3e38, 3e38).astype(np.float32)
    items = (normal(200, 6, 1).astype(np.float64) * item_scale * 10).clip(-3e38, 3e38).astype(np.float32)
    items[::3] *= np.float32(1e-8)
    check(users, items, 10)


def test_all_owned_all_barred_and_nobody():
    items, users = normal(70, 3), normal(2, 3, 1)
    found = TopK(items).recommend(users, 4, sp.csr_matrix(np.ones((2, 70))))
    assert (found.items == -1).all() and (found.scores == -np.inf).all()
    assert (TopK(items).recommend(users, 4, barred=np.arange(70)).items == -1).all()
    assert TopK(items).recommend(users[:0], 4).items.shape == (0, 4)


def test_owned_may_be_unsorted_repeated_and_zero():
    owned = sp.csr_matrix((np.zeros(4), np.array([9, 2, 9, 0]), np.array([0, 4])), shape=(1, 12))
    listed = TopK(normal(12, 3)).recommend(normal(1, 3, 1), 12, owned).items[0]
    assert sorted(listed.tolist()) == [-1, -1, -1, 1, 3, 4, 5, 6, 7, 8, 10, 11]
    assert owned.indices.tolist() == [9, 2, 9, 0], "the caller's matrix stays"


def spread(items, factors):
    return normal(items, factors, 1) * (1.0 + np.arange(items, dtype=np.float32)[::-1, None]) ** -1.5


def test_an_early_stop_leaves_the_lists_as_they_are(monkeypatch):
    users, items, owned = normal(300, 8), spread(5000, 8), ownership(300, 5000, 0.01)
    tiles = []
    matmul = np.matmul
    monkeypatch.setattr(top_k.np, "matmul", lambda a, b, out: tiles.append(out.shape) or matmul(a, b, out=out))
    early = TopK(items).recommend(users, 10, owned)
    scored = sum(rows * width for rows, width in tiles)
    assert scored < 0.3 * 300 * 5000, "most scores are never computed"
    without = TopK(items)
    monkeypatch.setattr(without, "_lengths", np.ones(5000))  # the longest of all has at most this
    tiles.clear()
    late = without.recommend(users, 10, owned)
    assert sum(rows * width for rows, width in tiles) >= 300 * 5000
    np.testing.assert_array_equal(early.items, late.items)
    np.testing.assert_array_equal(early.scores, late.scores)
    check(users[:20], items, 10, owned[:20])


def test_the_same_lists_at_any_number_of_threads(monkeypatch):
    users, items, owned = normal(900, 33), normal(1100, 33, 1), ownership(900, 1100, 0.05)
    found = []
    for count in (1, 2, 5):
        monkeypatch.setattr(threads, "thread_count", lambda count=count: count)
        found.append(TopK(items).recommend(users, 10, owned))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].items, other.items)
        np.testing.assert_array_equal(found[0].scores, other.scores)


def test_one_user_and_a_precomputed_list_are_the_same_as_all():
    users, items, owned = normal(40, 12), normal(500, 12, 1), ownership(40, 500, 0.1)
    barred = np.array([3, 77])
    top = TopK(items)
    every = top.recommend(users, 8, owned, barred)
    lists = top.precomputed(users, 8, owned, barred, users=[f"u{row}" for row in range(40)])
    assert len(lists) == 40 and list(lists)[3] == "u3"
    for row in range(40):
        one = top.one(users[row], 8, owned[[row]].indices, barred)
        np.testing.assert_array_equal(one.items, every.items[row])
        np.testing.assert_array_equal(one.scores, every.scores[row])
        np.testing.assert_array_equal(lists[f"u{row}"], every.items[row])


def test_lists_end_and_cannot_be_changed():
    items = np.array([[4, 2, -1], [-1, -1, -1]], np.int32)
    lists = RecommendationLists(items)
    assert lists[0].tolist() == [4, 2] and lists[1].tolist() == []
    with pytest.raises(KeyError):
        lists[2]
    with pytest.raises(ValueError, match="read-only"):
        lists[0][0] = 1
    with pytest.raises(InputError, match="one id for each list"):
        RecommendationLists(items, ["a"])
    with pytest.raises(InputError, match="unique"):
        RecommendationLists(items, ["a", "a"])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(wrong):
    vectors = normal(5, 3)
    vectors[2, 1] = wrong
    with pytest.raises(InputError, match="item 2 has NaN or infinity"):
        TopK(vectors)
    with pytest.raises(InputError, match="user 2 has NaN or infinity"):
        TopK(normal(5, 3)).recommend(vectors, 1)


def test_what_does_not_fit_is_refused():
    top, users = TopK(normal(5, 3)), normal(2, 3)
    for vectors, told in ((np.zeros((0, 3)), "empty"), (np.zeros((3, 0)), "shape"), (np.zeros(3), "shape")):
        with pytest.raises(InputError, match=told):
            TopK(vectors)
    with pytest.raises(InputError, match="2 factors, item_vectors 3"):
        top.recommend(normal(2, 2), 1)
    with pytest.raises(InputError, match="at least one place"):
        top.recommend(users, 0)
    with pytest.raises(InputError, match="users x items"):
        top.recommend(users, 1, sp.csr_matrix((3, 5)))
    for barred in ([5], [-1], [0.5], [True]):
        with pytest.raises(InputError, match="from 0 to 4"):
            top.recommend(users, 1, barred=np.array(barred))
    with pytest.raises(InputError, match="owned must be numbers"):
        top.one(users[0], 1, np.array([7]))
