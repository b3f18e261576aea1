"""Records folded in and their lists on the device, emulated: against the normal equations as they are written."""

import numpy as np
import pytest
import scipy.sparse as sp
from technobench.gpu_pipeline import device_memory as device_memory_module
from technobench.gpu_pipeline.device_recommender import DeviceRecommender
from technobench.pipeline.errors import DeviceError
from technobench.pipeline.item_vectors import ItemVectors
from technobench.pipeline.recommendation_check import RecommendationReference
from technobench.pipeline.stages.pipeline import Pipeline

from .factor_checks import best_lists, strengths_of


def items_of(count, factors, scaling="plain"):
    vectors = np.random.default_rng(factors).normal(size=(count, factors)).astype(np.float32) / 3
    return ItemVectors(tuple(map(str, range(count))), vectors, 5.0, 2.0 if scaling == "plain" else 0.05, scaling)


def owned_by(records, count, share=0.2):
    """Some have nothing, one has all, one all but one item."""
    owned = strengths_of(max(1, records), count, share)[:records]
    owned.data[:] = 1
    return owned


def on_device(cupy, owned):
    return cupy.asarray(owned.indptr.astype(np.int64)), cupy.asarray(owned.indices.astype(np.int64))


def assert_recommended(cupy, items, owned, k):
    found = DeviceRecommender(cupy, items, k).recommend(*on_device(cupy, owned))
    lists, scores = found.items.get(), found.scores.get()
    assert lists.dtype == np.int32 and scores.dtype == np.float32
    assert RecommendationReference.of(items, owned, k).error(lists, scores) <= Pipeline.tolerance / 2
    assert (np.isneginf(scores) == (lists == -1)).all()
    return lists, scores


@pytest.mark.parametrize("scaling", ["plain", "frequency"])
@pytest.mark.parametrize(
    ("records", "count", "factors", "k"), [(0, 5, 3, 2), (1, 1, 1, 4), (9, 30, 7, 40), (6, 300, 33, 10)]
)
def test_lists_and_scores(cupy, checked_cupy, records, count, factors, k, scaling):
    for device in (cupy, checked_cupy):
        assert_recommended(device, items_of(count, factors, scaling), owned_by(records, count), k)


def test_scores_are_those_of_the_vectors_in_float64_and_of_no_items_zero(cupy):
    items, owned = items_of(40, 6), owned_by(5, 40)
    lists, scores = assert_recommended(cupy, items, owned, 10)
    users = items.exact_users(owned).astype(np.float32)
    expected, _ = best_lists(users, items.vectors, 10, owned, ())
    np.testing.assert_array_equal(lists, expected)
    assert not scores[1].any(), "a record without items"
    np.testing.assert_array_equal(lists[1], np.arange(10))


def test_any_cap_gives_the_same_answer_within_it(monkeypatch, cupy, device_memory):
    monkeypatch.setattr(device_memory_module, "PLANNED_SHARE", 1.0)
    items, owned = items_of(60, 9), owned_by(60, 60)
    given = on_device(cupy, owned)
    device_memory(1 << 30)
    recommender = DeviceRecommender(cupy, items, 10)
    expected = [each.get() for each in recommender.recommend(*given)]
    numbers, split = set(), recommender._split

    def seen(*sizes):
        batches, scratch_bytes = split(*sizes)
        numbers.add(len(batches))
        return batches, scratch_bytes

    monkeypatch.setattr(recommender, "_split", seen)
    for free in (1 << 18, 40_000, 30_000, 25_000, 20_000):
        memory = device_memory(free)
        try:
            found = recommender.recommend(*given)
        except DeviceError as refused:
            assert "--device-memory" in str(refused)
            break
        for each, right in zip(found, expected, strict=True):
            np.testing.assert_array_equal(each.get(), right)
        assert memory.peak <= memory.total
        del found, each
    else:
        pytest.fail("no cap was refused")
    assert min(numbers) == 1 and max(numbers) >= 4


def test_items_that_do_not_fit_are_refused(cupy, device_memory):
    device_memory(10_000)
    with pytest.raises(DeviceError, match=r"the model takes 47.0 KiB of the device's memory.*--device-memory"):
        DeviceRecommender(cupy, items_of(600, 10), 5)


def test_what_a_record_has_may_be_stored_as_any_integers(cupy):
    items, owned = items_of(20, 4), sp.csr_matrix(owned_by(4, 20))
    indptr, indices = on_device(cupy, owned)
    wide = DeviceRecommender(cupy, items, 5).recommend(indptr, indices)
    narrow = DeviceRecommender(cupy, items, 5).recommend(indptr, indices.astype(np.int32))
    np.testing.assert_array_equal(wide.items.get(), narrow.items.get())
