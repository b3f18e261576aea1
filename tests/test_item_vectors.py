"""Item vectors: trained and folded in against least squares and the loss, kept by the workload, and read as written."""

import numpy as np
import pytest
import scipy.sparse as sp
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.errors import InputError
from technobench.pipeline.item_vectors import PARAMETERS, AlsParameters, ItemVectors, als_parameters
from technobench.pipeline.stages.als import als_problem, loss
from technobench.pipeline.workload import Workload

RANDOM = np.random.default_rng(0)
STRENGTHS = sp.random(40, 13, 0.25, "csr", np.float32, RANDOM, lambda count: RANDOM.uniform(0.5, 3, count))
NAMES = tuple("abcdefghijklm")
FEW = AlsParameters(factors=5, regularization=0.3, alpha=4.0, iterations=2, seed=1, scaling="plain")


@pytest.mark.parametrize("scaling", ["plain", "frequency"])
def test_users_are_folded_in_as_least_squares_has_them(scaling):
    items = ItemVectors.trained(STRENGTHS, NAMES, FEW._replace(scaling=scaling))
    found = items.exact_users(STRENGTHS)
    for row, strengths in enumerate(STRENGTHS.toarray().astype(np.float64)):
        stored = strengths > 0
        penalty = 0.3 if scaling == "plain" else 0.3 * (13 + 4.0 * stored.sum())
        weights = np.sqrt(1 + 4.0 * strengths)
        system = np.vstack([items.vectors * weights[:, None], np.sqrt(penalty) * np.eye(5)])
        expected = np.linalg.lstsq(system, np.append(weights * stored, np.zeros(5)), rcond=None)[0]
        np.testing.assert_allclose(found[row], expected, atol=1e-6)


def test_no_users_to_fold_in():
    items = ItemVectors.trained(STRENGTHS, NAMES, FEW)
    assert items.exact_users(STRENGTHS[:0]).shape == (0, 5)


def test_training_goes_down_to_a_loss_where_nothing_moves():
    """After many iterations no other vector of an item is better, the users held: the gradient is 0."""
    problem = als_problem(STRENGTHS, **FEW._asdict())

    def loss_after(iterations):
        items = ItemVectors.trained(STRENGTHS, NAMES, FEW._replace(iterations=iterations))
        return items, loss(problem, items.exact_users(STRENGTHS), items.vectors)

    losses = [loss_after(iterations)[1] for iterations in (1, 2, 5, 200)]
    assert sorted(losses, reverse=True) == losses
    items, least = loss_after(200)
    users = items.exact_users(STRENGTHS)
    for item in range(13):
        for factor in range(5):
            moved = items.vectors.astype(np.float64)
            moved[item, factor] += 1e-3
            higher = loss(problem, users, moved)
            moved[item, factor] -= 2e-3
            assert min(higher, loss(problem, users, moved)) >= least - 1e-5


def test_read_as_written(tmp_path):
    items = ItemVectors.trained(STRENGTHS, NAMES, FEW)
    items.save(tmp_path)
    again = ItemVectors.load(tmp_path)
    assert again.vectors.dtype == np.float32
    np.testing.assert_array_equal(again.vectors, items.vectors)
    assert (again.names, again.alpha, again.regularization, again.scaling) == (NAMES, 4.0, 0.3, "plain")


def test_nothing_to_recommend_is_refused():
    with pytest.raises(InputError, match="there is nothing to recommend"):
        ItemVectors.trained(STRENGTHS[:, :0], (), FEW)


def test_the_workload_keeps_them_by_all_that_they_depend_on(monkeypatch):
    workload = Workload(catalogue.get("whotracksme"))
    few = als_parameters({**PARAMETERS, **workload.parameters, "factors": 3, "iterations": 1})
    first = ItemVectors.of(workload, few)
    assert first.names == workload.technologies().names
    assert first.vectors.shape == (len(first.names), 3)
    for other in (
        few._replace(seed=1),
        few._replace(alpha=3.0),
        few._replace(iterations=2),
        few._replace(regularization=3.0),
    ):
        assert not np.array_equal(ItemVectors.of(workload, other).vectors, first.vectors)
    monkeypatch.setattr(ItemVectors, "trained", None)  # what is kept is not trained again
    np.testing.assert_array_equal(ItemVectors.of(workload, few).vectors, first.vectors)
