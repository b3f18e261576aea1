"""Stage `recommend`: every variant against brute force, the models' vectors, and wrong lists that must be caught."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from sklearn.metrics.pairwise import cosine_similarity
from technobench.pipeline import registry
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.errors import InputError
from technobench.pipeline.recommendation_vectors import als, content, item_attributes, one_hot, owner_shares, popularity
from technobench.pipeline.stages.als import als_problem
from technobench.pipeline.stages.recommend import RecommendProblem
from technobench.pipeline.workload import Workload

from .test_native_top_k import normal, ownership, sorted_lists
from .variants import answer_of, variants_of

STAGE = registry.stages()["recommend"]
VARIANTS = {name: variant for name, variant in variants_of("recommend").items() if variant.device == "cpu"}
SCALE = 0.05


def problem_of(users=30, items=200, factors=7, share=0.2, **changed):
    problem = RecommendProblem(
        users=normal(users, factors),
        items=normal(items, factors, 1),
        owned=ownership(users, items, share),
        held_out=sp.csr_matrix((users, items), dtype=np.float32),
        barred=np.array([3, 50], np.int32)[:items],
        k=10,
        asked=np.arange(users),
        one_by_one=False,
    )
    return replace(problem, **changed)


def brute_force(problem):
    lists, scores = sorted_lists(problem.users, problem.items, problem.k, problem.owned, problem.barred.tolist())
    return lists[problem.asked], scores[problem.asked]


def cases():
    tied = problem_of()
    tied = replace(tied, items=np.tile(tied.items[:4], (50, 1)))
    owning = problem_of(barred=np.zeros(0, np.int32))
    full = sp.vstack([sp.csr_matrix(np.ones((1, 200), np.float32)), owning.owned[1:]], format="csr")
    return {
        "plain": problem_of(),
        "one by one": problem_of(asked=np.array([4, 9, 4, 0]), one_by_one=True),
        "equal items": tied,
        "vectors of zeros": replace(tied, users=np.zeros_like(tied.users)),
        "k beyond the catalogue": problem_of(items=6, k=9, barred=np.array([3], np.int32)),
        "a user who owns all": replace(owning, owned=full),
        "one of each": problem_of(users=1, items=1, factors=1, share=0.0, barred=np.zeros(0, np.int32)),
    }


@pytest.mark.parametrize("case", cases())
def test_reference_is_brute_force(case):
    problem = cases()[case]
    reference = STAGE.reference(problem)
    lists, scores = brute_force(problem)
    np.testing.assert_array_equal(reference.items, lists)
    np.testing.assert_array_equal(reference.scores, scores)


@pytest.mark.parametrize("case", cases())
@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_variant_is_right(name, case):
    problem = cases()[case]
    answer = answer_of(VARIANTS[name], problem)
    assert STAGE.error(problem, answer, STAGE.reference(problem)) <= STAGE.tolerance
    if name != "batched-sparse":  # float32 need not break ties as float64 does
        np.testing.assert_array_equal(answer, brute_force(problem)[0])


def test_wrong_lists_are_caught():
    problem = problem_of()
    reference = STAGE.reference(problem)
    right = answer_of(VARIANTS["naive"], problem)
    assert STAGE.error(problem, right, reference) == 0
    swapped = right.copy()
    swapped[3, [0, 1]] = swapped[3, [1, 0]]
    assert STAGE.tolerance < STAGE.error(problem, swapped, reference) < np.inf
    owned = problem.items_of(5)[0]
    ended = right.copy()
    ended[7, -1] = -1
    for value in (owned, problem.barred[0], right[5, 0], len(problem.items), -2):
        last = right.copy()
        last[5, -1] = value
        assert STAGE.error(problem, last, reference) == np.inf
    for answer in (ended, right[:-1], right[:, :-1], right.astype(float)):
        assert STAGE.error(problem, answer, reference) == np.inf


def test_equal_scores_in_another_order_are_no_error():
    problem = cases()["equal items"]
    reference = STAGE.reference(problem)
    other = reference.items.copy()
    row = int(np.flatnonzero(reference.scores[:, 0] == reference.scores[:, 1])[0])
    other[row, :2] = other[row, 1::-1]
    assert STAGE.error(problem, other, reference) == 0


def test_popularity_counts_owners():
    training = sp.csr_matrix(np.array([[0, 5, 1], [0, 2, 0]], np.float32))
    vectors = popularity(training)
    np.testing.assert_array_equal(vectors.users @ vectors.items.T, [[0, 2, 1], [0, 2, 1]])


def test_content_is_the_cosine_of_profile_and_item():
    training = ownership(20, 40, 0.2)
    attributes = np.random.default_rng(3).random((40, 6))
    attributes[[4, 5]] = 0
    vectors = content(training, attributes)
    units = attributes / np.maximum(np.linalg.norm(attributes, axis=1), 1e-300)[:, None]
    have = training.toarray() > 0
    profiles = np.array([units[mine].mean(axis=0) if mine.any() else np.zeros(6) for mine in have])
    expected = cosine_similarity(profiles, attributes)
    np.testing.assert_allclose(vectors.users @ vectors.items.T, expected, atol=1e-6)


def test_attributes_of_technologies_are_shares_of_their_companies():
    training = sp.csr_matrix(np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0]], np.float32))
    region = one_hot(pa.array(["north", "south", None, "north"]))
    np.testing.assert_array_equal(region.toarray(), [[1, 0], [0, 1], [0, 0], [1, 0]])
    np.testing.assert_allclose(owner_shares(training, region), [[1 / 3, 1 / 3], [1 / 2, 1 / 2], [0, 0]])


def test_genres_are_attributes():
    workload = Workload(catalogue.get("planted", SCALE))
    genres = workload.items()["genres"].to_pylist()
    names = sorted({name for each in genres for name in each})
    expected = [[name in each for name in names] for each in genres]
    np.testing.assert_array_equal(item_attributes(workload, workload.interactions().matrix), expected)


def test_als_vectors_solve_dense_normal_equations():
    problem = als_problem(ownership(30, 25, 0.2), 4, 2.0, 3.0, 2, 0)
    strengths, items = problem.strengths.toarray().astype(float), problem.item_start
    for _ in range(2):
        users = dense_rows(strengths, items)
        items = dense_rows(strengths.T, users)
    found = als(problem)
    np.testing.assert_allclose(found.users, users, atol=1e-5)
    np.testing.assert_allclose(found.items, items, atol=1e-5)


def dense_rows(strengths, others):
    others = others.astype(float)
    solved = [
        np.linalg.solve((others.T * (1 + 3 * row)) @ others + 2 * np.eye(4), others.T @ ((1 + 3 * row) * (row > 0)))
        for row in strengths
    ]
    return np.array(solved)


@pytest.fixture(scope="module")
def qualities():
    found = {}
    for model in ("als", "content", "popularity"):
        workload = Workload(catalogue.get("planted", 0.25), {"recommender": model, "factors": 16, "iterations": 3})
        problem = STAGE.problem(workload)
        found[model] = problem, STAGE.quality(problem, answer_of(VARIANTS["native"], problem))
    return found


def test_collaborative_beats_content_and_popularity(qualities):
    ndcg = {model: quality["ndcg@10"] for model, (_, quality) in qualities.items()}
    assert ndcg["als"] > 1.2 * max(ndcg["popularity"], ndcg["content"]) and min(ndcg.values()) > 0
    assert next(iter(qualities["als"][1])) == "ndcg@10"


def test_models_differ_in_vectors_alone(qualities):
    als_case, content_case = qualities["als"][0], qualities["content"][0]
    assert (als_case.owned != content_case.owned).nnz == 0
    assert (als_case.owned.multiply(als_case.held_out)).nnz == 0
    whole = Workload(catalogue.get("planted", 0.25)).interactions().matrix
    assert ((als_case.owned + als_case.held_out) != whole).nnz == 0


def test_quality_is_of_the_users_who_ask():
    problem = problem_of(users=3, asked=np.array([1]), barred=np.zeros(0, np.int32), share=0.0)
    best = STAGE.reference(problem).items
    held = sp.csr_matrix((np.ones(1, np.float32), ([1], [best[0, 1]])), shape=(3, 200))
    quality = STAGE.quality(replace(problem, held_out=held), best)
    assert quality[f"mrr@{problem.k}"] == 0.5 and quality[f"hit_rate@{problem.k}"] == 1
    assert STAGE.quality(problem, best) == {}


def test_requests_and_barred_items_are_drawn_by_the_seed():
    parameters = {"recommender": "popularity", "requests": 7, "barred": 5}
    first, again, other = (
        STAGE.problem(Workload(catalogue.get("planted", SCALE), {**parameters, "seed": seed})) for seed in (1, 1, 2)
    )
    assert first.one_by_one and len(first.asked) == 7 and len(set(first.barred.tolist())) == 5
    assert (np.diff(first.barred) > 0).all()
    np.testing.assert_array_equal(first.asked, again.asked)
    assert first.asked.tolist() != other.asked.tolist()
    assert STAGE.sizes(STAGE.prefix(first, 3)) == {"records": 3, "items": 3706, "factors": 1}


@pytest.mark.parametrize(
    ("dataset", "parameters", "told"),
    [
        ("planted", {"recommender": "some"}, "must be one of als, content, popularity"),
        ("planted", {"recommender": "popularity", "barred": 10_000}, "barred=10000"),
        ("planted", {"iterations": 0}, "iterations"),
    ],
)
def test_parameters_out_of_range_are_refused(dataset, parameters, told):
    with pytest.raises(InputError, match=told):
        STAGE.problem(Workload(catalogue.get(dataset, SCALE), parameters))


def test_technologies_have_content_vectors_of_length_1():
    workload = Workload(catalogue.get("whotracksme"), {"recommender": "content"})
    problem = STAGE.problem(workload)
    lengths = np.linalg.norm(problem.items, axis=1)
    owners = np.bincount(problem.owned.indices, minlength=len(lengths))
    np.testing.assert_allclose(lengths[owners > 0], 1, rtol=1e-6)
    assert STAGE.error(problem, answer_of(VARIANTS["native"], problem), STAGE.reference(problem)) == 0
