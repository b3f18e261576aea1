"""The check of recommendations: right lists pass, whatever decides between equals; every planted fault is caught."""

import numpy as np
import pytest
import scipy.sparse as sp
from technobench.pipeline import recommendation_check
from technobench.pipeline.item_vectors import ItemVectors
from technobench.pipeline.recommendation_check import RecommendationReference

RANDOM = np.random.default_rng(0)
OWNED = RANDOM.random((12, 9)) < 0.3
OWNED[0], OWNED[1], OWNED[2], OWNED[5] = False, True, np.arange(9) != 4, np.isin(np.arange(9), [1, 6])
ITEMS = ItemVectors(tuple("abcdefghi"), RANDOM.normal(size=(9, 4)).astype(np.float32), 3.0, 0.5, "plain")
K = 5


def scores_of(row):
    """By least squares on the rows of the loss as they are written."""
    weights = np.sqrt(1 + ITEMS.alpha * OWNED[row])
    vectors = ITEMS.vectors.astype(np.float64)
    system = np.vstack([vectors * weights[:, None], np.sqrt(ITEMS.regularization) * np.eye(4)])
    user = np.linalg.lstsq(system, np.append(weights * OWNED[row], np.zeros(4)), rcond=None)[0]
    return vectors @ user


def right_lists():
    items, scores = np.full((12, K), -1), np.full((12, K), -np.inf)
    for row in range(12):
        found = scores_of(row)
        best = sorted(np.flatnonzero(~OWNED[row]), key=lambda item, found=found: (-found[item], item))[:K]
        items[row, : len(best)], scores[row, : len(best)] = best, found[best]
    return items, scores


@pytest.fixture
def reference():
    return RecommendationReference.of(ITEMS, sp.csr_matrix(OWNED.astype(np.int8)), K)


def test_right_lists(reference):
    items, scores = right_lists()
    assert reference.error(items, scores) < 1e-14
    assert reference.error(items.astype(np.int32), scores.astype(np.float32)) < 1e-6
    assert (items[1] == -1).all() and items[2].tolist() == [4, -1, -1, -1, -1]


def test_scores_of_a_record_without_items_are_all_equal(reference):
    items, scores = right_lists()
    items[0] = [8, 3, 0, 5, 1]
    assert reference.error(items, scores) < 1e-14


@pytest.mark.parametrize("block", [1, 300])
def test_the_check_does_not_depend_on_blocks(reference, block, monkeypatch):
    monkeypatch.setattr(recommendation_check, "_BLOCK_BYTES", block)
    again = RecommendationReference.of(ITEMS, reference.owned, K)
    np.testing.assert_allclose(again.best, reference.best, rtol=1e-13)


def faults():
    items, scores = right_lists()
    row = 5
    left = int(np.setdiff1d(np.flatnonzero(~OWNED[row]), items[row])[0])
    own = int(np.flatnonzero(OWNED[row])[0])

    def changed(places, new_items, new_scores=None):
        wrong, told = items.copy(), scores.copy()
        wrong[row, places] = new_items
        if new_scores is not None:
            told[row, places] = new_scores
        return wrong, told

    yield "order, with the scores as they were", 1e-4, changed([0, 1], items[row, [1, 0]])
    yield "order, with the scores", np.inf, changed([0, 1], items[row, [1, 0]], scores[row, [1, 0]])
    yield "not the best", 1e-4, changed(4, left, scores_of(row)[left])
    yield "a score", 1e-4, changed(0, items[row, 0], scores[row, 0] * 1.01)
    yield "an item that the record has", np.inf, changed(4, own)
    yield "repeated", np.inf, changed(1, items[row, 0])
    yield "ends too early", np.inf, changed(4, -1, -np.inf)
    yield "empty before the end", np.inf, changed(0, -1)
    yield "out of range", np.inf, changed(4, 9)
    yield "below the empty place", np.inf, changed(4, -2)
    yield "not a number", np.inf, changed(4, items[row, 4], np.nan)
    yield "infinite", np.inf, changed(0, items[row, 0], np.inf)
    yield "numbers of another kind", np.inf, (items.astype(float), scores)
    yield "too few places", np.inf, (items[:, :4], scores[:, :4])
    yield "too few records", np.inf, (items[:11], scores[:11])
    beyond, told = items.copy(), scores.copy()
    beyond[1, 0], told[1, 0] = 3, 0.0
    yield "an item for who has all", np.inf, (beyond, told)


@pytest.mark.parametrize(("least", "answer"), [fault[1:] for fault in faults()], ids=[fault[0] for fault in faults()])
def test_a_fault_is_caught(reference, least, answer):
    assert reference.error(*answer) >= least


def test_of_many_records_the_scores_of_some_are_checked_and_the_form_of_all(monkeypatch):
    monkeypatch.setattr(recommendation_check, "CHECKED_RECORDS", 3)
    reference = RecommendationReference.of(ITEMS, sp.csr_matrix(OWNED.astype(np.int8)), K)
    assert reference.rows.tolist() == [0, 5, 11]
    items, scores = right_lists()
    assert reference.error(items, scores) < 1e-14
    items[4, 0] = items[4, 1]
    assert reference.error(items, scores) == np.inf


def test_no_records():
    reference = RecommendationReference.of(ITEMS, sp.csr_matrix((0, 9), dtype=np.int8), K)
    assert reference.error(np.empty((0, K), np.int32), np.empty((0, K), np.float32)) == 0
