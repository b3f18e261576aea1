"""Recommend: vectors of users and items to the k items of the highest score for each user, but for those they have.

The score of a user and an item is the product of their float32 vectors, summed in float64 over the factors in order, so
that it is the same number everywhere. A list has the highest scores first, and of equal ones the lower item number.
Items that the user has, and items barred for all, are left out; where no more are left a list ends with -1.

The vectors are those of a model learned from a part of the interactions (`recommendation_vectors`); a share of each
user's items is held out, and tells how good the model is. A request may be for all users at once or for one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..contract import Scalar, Stage
from ..errors import InputError
from ..item_vectors import PARAMETERS as ALS_PARAMETERS
from ..item_vectors import als_parameters
from ..ranking_metrics import ranking_metrics
from ..recommendation_check import NO_ITEM, are_lists
from ..recommendation_vectors import Vectors, als, content, item_attributes, popularity
from ..search import Range
from ..splits import hold_out
from .als import Als, als_problem

if TYPE_CHECKING:
    from ..workload import Workload

RECOMMENDERS = ("als", "content", "popularity")
_HELD_OUT = 0.2
_SCORES_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class RecommendProblem:
    """Whose lists are asked for, and what they come from.

    users, items: float32[n, factors] and float32[m, factors], finite.
    owned: CSR, n x m, the items that each user has; held_out: the same of those that the model has not seen.
    barred: int32[b], ascending, items that nobody is recommended.
    k: length of the lists.
    asked: int64[q], the users whose lists are asked for.
    one_by_one: each list is a request of its own, in this order.
    """

    users: np.ndarray
    items: np.ndarray
    owned: sp.csr_matrix
    held_out: sp.csr_matrix
    barred: np.ndarray
    k: int
    asked: np.ndarray
    one_by_one: bool

    def items_of(self, user: int) -> np.ndarray:
        """int32: the items that a user has."""
        return self.owned.indices[self.owned.indptr[user] : self.owned.indptr[user + 1]]


class BestLists(NamedTuple):
    """What answers are checked against.

    items: int32[q, k], -1 where a list has ended. scores: float64[q, k], -inf there.
    """

    items: np.ndarray
    scores: np.ndarray


def scores(users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """float64[...]: scores of float64[..., factors] users and items, each as the definition says."""
    found = np.zeros(np.broadcast_shapes(users.shape, items.shape)[:-1])
    for factor in range(users.shape[-1]):
        found += users[..., factor] * items[..., factor]
    return found


class Recommend(Stage[RecommendProblem, np.ndarray, BestLists]):
    """The best items of users: int32[q, k]."""

    name = "recommend"
    order = 70
    summary = "vectors of users and items to the top k of each user (als, content or popularity)"
    error_measure = (
        "largest difference to the best list's score at a place, over the user's length and the longest item's"
    )
    # A float32 product of 64 factors is off by up to 3.8e-6 of the lengths, and two of them are compared.
    tolerance = 1e-5
    kinds = ("records", "interactions", "ratings")
    parameters: ClassVar[Mapping[str, Scalar]] = {
        "recommender": "als",
        "k": 10,
        "requests": 0,
        "barred": 0,
        **ALS_PARAMETERS,
    }
    search: ClassVar[Mapping[str, Range]] = Als.search

    def problem(self, workload: "Workload") -> RecommendProblem:
        """Vectors learned from four fifths of each user's items.

        ``requests`` users drawn by the seed ask one by one; without any, the lists of all users are asked for at once.
        ``barred`` items drawn by the seed are barred.

        Raises:
            InputError: the recommender is none, or knows nothing of this dataset's items; or a hyper-parameter is out
                of range.

        """
        parts = hold_out(workload.interactions().matrix, _HELD_OUT, int(workload.parameters["seed"]))
        return self._of(workload, *parts, kept_as="als")

    def fold(self, workload: "Workload", number: int, folds: int) -> RecommendProblem:
        """A hold-out of its own, of what is left of each user's items without what the problem holds out."""
        seed = int(workload.parameters["seed"])
        training, _ = hold_out(workload.interactions().matrix, _HELD_OUT, seed)
        return self._of(workload, *hold_out(training, _HELD_OUT, seed + 1 + number), kept_as=f"als-fold-{number}")

    def _of(
        self, workload: "Workload", training: sp.csr_matrix, held_out: sp.csr_matrix, kept_as: str
    ) -> RecommendProblem:
        parameters = {**self.parameters, **workload.parameters}
        seed, requests, barred = (int(parameters[name]) for name in ("seed", "requests", "barred"))
        users, items = training.shape
        if not 0 <= barred <= items:
            raise InputError(f"barred={barred}: there are {items} items")
        vectors = _vectors(workload, training, parameters, kept_as)
        generator = np.random.default_rng(seed)
        return RecommendProblem(
            users=vectors.users,
            items=vectors.items,
            owned=training,
            held_out=held_out,
            barred=np.sort(generator.permutation(items)[:barred]).astype(np.int32),
            k=int(parameters["k"]),
            asked=generator.integers(users, size=requests) if requests else np.arange(users),
            one_by_one=requests > 0,
        )

    def prefix(self, problem: RecommendProblem, records: int) -> RecommendProblem:
        """The lists of the first users that are asked for."""
        return replace(problem, asked=problem.asked[:records])

    def sizes(self, problem: RecommendProblem) -> dict[str, int]:
        """Records (lists), items and factors."""
        items, factors = problem.items.shape
        return {"records": len(problem.asked), "items": items, "factors": factors}

    def reference(self, problem: RecommendProblem) -> BestLists:
        """The best lists, by scores of all items in float64."""
        shape = len(problem.asked), problem.k
        found = BestLists(np.full(shape, NO_ITEM, np.int32), np.full(shape, -np.inf))
        batch = max(1, _SCORES_AT_ONCE // len(problem.items))
        for start in range(0, len(problem.asked), batch):
            part = slice(start, start + batch)
            _fill_best(problem, problem.asked[part], found.items[part], found.scores[part])
        return found

    def error(self, problem: RecommendProblem, answer: np.ndarray, reference: BestLists) -> float:
        """By `error_measure`; infinity for a list with what must not be in it, or not as long as it can be."""
        if not are_lists(answer, reference.items != NO_ITEM, problem.owned[problem.asked], problem.barred):
            return float("inf")
        row, place = np.nonzero(answer >= 0)
        users, items = problem.users.astype(np.float64), problem.items.astype(np.float64)
        scale = np.linalg.norm(users, axis=1)[problem.asked] * np.linalg.norm(items, axis=1).max()
        off = np.abs(scores(users[problem.asked[row]], items[answer[row, place]]) - reference.scores[row, place])
        return float((off / np.where(off > 0, scale[row], 1)).max(initial=0.0))

    def quality(self, problem: RecommendProblem, answer: np.ndarray) -> Mapping[str, float]:
        """How the lists rank the items held out: `ranking_metrics`; nothing where none are."""
        relevant = problem.held_out[problem.asked]
        if relevant.nnz == 0:
            return {}
        return ranking_metrics(answer, relevant, problem.owned).by_name(problem.k)


def _vectors(workload: "Workload", training: sp.csr_matrix, parameters: Mapping[str, Scalar], kept_as: str) -> Vectors:
    """The model's vectors; ``kept_as`` tells the training parts of one seed apart."""
    recommender = parameters["recommender"]
    if recommender == "popularity":
        return popularity(training)
    if recommender == "content":
        return content(training, item_attributes(workload, training))
    if recommender != "als":
        raise InputError(f"recommender={recommender!r}: must be one of {', '.join(RECOMMENDERS)}")
    chosen = als_parameters(parameters)

    def fit(folder: Path) -> None:
        fitted = als(als_problem(training, **chosen._asdict()))
        np.savez(folder / "vectors.npz", users=fitted.users, items=fitted.items)

    key = "-".join([kept_as, *map(str, chosen), workload.digest("min_frequency", "seed")])
    kept = np.load(workload.kept(key, fit) / "vectors.npz", allow_pickle=False)
    return Vectors(kept["users"], kept["items"])


def _fill_best(problem: RecommendProblem, asked: np.ndarray, best: np.ndarray, best_scores: np.ndarray) -> None:
    """Fill the lists of some users: what is near the k-th score by a product of any order is scored as defined."""
    users, items = problem.users[asked].astype(np.float64), problem.items.astype(np.float64)
    every = users @ items.T
    every[problem.owned[asked].nonzero()] = -np.inf
    every[:, problem.barred] = -np.inf
    k = min(problem.k, len(items))
    last = np.partition(every, len(items) - k, axis=1)[:, len(items) - k]
    lengths = np.linalg.norm(users, axis=1) * np.linalg.norm(items, axis=1).max()
    slack = 4 * (items.shape[1] + 1) * np.finfo(np.float64).eps * lengths
    row, item = np.nonzero((every >= (last - slack)[:, None]) & (every > -np.inf))
    exact = scores(users[row], items[item])
    order = np.lexsort((item, -exact, row))
    row, item, exact = row[order], item[order], exact[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    listed = place < k
    best[row[listed], place[listed]] = item[listed]
    best_scores[row[listed], place[listed]] = exact[listed]
