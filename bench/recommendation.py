"""Recommendations from all interactions of a dataset: implicit-feedback ALS, then the best items that a user lacks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from ..pipeline import registry
from ..pipeline.contract import Prepared
from ..pipeline.errors import InputError
from ..pipeline.interactions import Interactions
from ..pipeline.stages.als import AlsAnswer, AlsProblem
from ..pipeline.stages.recommend import RecommendProblem, scores
from .recommendation_file import SCHEMA

PLACES_AT_ONCE = 1 << 17
"""Places of the lists that are computed before they are written: about 2 KB each with 64 factors."""
LEAST_SCORE = 1e-3
"""A model whose highest possible score is below it has learned nothing: a pair that is there should score near 1."""

_MOST_COMPARED = 100_000
"""Ids among which near ones to an unknown one are looked for: comparing is slow."""


def prepared(stage: str, name: str, problem: object) -> Prepared:
    """A variant, set up for the problem.

    Raises:
        InputError: there is no such variant, or this machine lacks what it needs.

    """
    found = registry.variants().get((stage, name))
    if found is None:
        there = ", ".join(variant for of_stage, variant in registry.variants() if of_stage == stage)
        raise InputError(f"--variant {name}: stage {stage} has no such variant; there are: {there}")
    if (missing := found.missing()) is not None:
        raise InputError(f"{stage}/{name} cannot run here: {missing}")
    return found.prepare(problem)


def fitted(problem: AlsProblem, variant: str) -> AlsAnswer:
    """Vectors of users and items, of all strengths in the problem.

    Raises:
        InputError: as `prepared`, or the regularisation left nothing of the vectors.

    """
    ready = prepared("als", variant, problem)
    answer: AlsAnswer = ready.fetch(ready.run())
    lengths = [np.linalg.norm(vectors, axis=1).max() for vectors in (answer.user_factors, answer.item_factors)]
    if not lengths[0] * lengths[1] >= LEAST_SCORE:
        raise InputError(
            f"nothing is learned from {problem.strengths.nnz:,} pairs of user and item: the penalty of"
            f" {problem.regularization:g} outweighs them; lower --regularization, or bring more interactions"
        )
    return answer


def positions(ids: Sequence[str], wanted: Sequence[str], option: str, what: str) -> np.ndarray:
    """int64: where the wanted ids are, each once, in the order wanted; ``option`` named them.

    Raises:
        InputError: one is not there; with those that are near.

    """
    place = {one: number for number, one in enumerate(ids)} if wanted else {}
    for one in wanted:
        if one not in place:
            near = get_close_matches(one, list(islice(ids, _MOST_COMPARED)), n=3)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {len(ids):,}, as {ids[0]!r}"
            raise InputError(f"{option} {one}: no such {what}; {hint}")
    return np.array([place[one] for one in dict.fromkeys(wanted)], np.int64)


@dataclass(frozen=True)
class Request:
    """For whom to recommend, and what.

    users: int64, rows of the matrix, each with interactions.
    barred: int64, items that nobody is recommended.
    top: items of a list, at most.
    """

    users: np.ndarray
    barred: np.ndarray
    top: int


def recommendations(
    interactions: Interactions, vectors: AlsAnswer, request: Request, done: Callable[[int, int], None]
) -> Iterator[pa.RecordBatch]:
    """The lists of the users in order, in batches with the columns of `SCHEMA`; a list that is short has fewer rows."""
    user_ids, item_ids = pa.array(interactions.user_ids, pa.string()), pa.array(interactions.item_ids, pa.string())
    whole = RecommendProblem(
        users=np.asarray(vectors.user_factors, np.float32),
        items=np.asarray(vectors.item_factors, np.float32),
        owned=interactions.matrix,
        held_out=sp.csr_matrix(interactions.matrix.shape, dtype=np.float32),
        barred=np.sort(request.barred).astype(np.int32),
        k=request.top,
        asked=request.users,
        one_by_one=False,
    )
    at_once = max(1, PLACES_AT_ONCE // request.top)
    for at in range(0, len(request.users), at_once):
        problem = replace(whole, asked=request.users[at : at + at_once])
        ready = prepared("recommend", "native", problem)
        items: np.ndarray = ready.fetch(ready.run())
        row, place = np.nonzero(items >= 0)
        user, item = problem.asked[row], items[row, place]
        found = scores(problem.users[user].astype(np.float64), problem.items[item].astype(np.float64))
        columns = (
            user_ids.take(pa.array(user)),
            pa.array(place + 1, pa.int32()),
            item_ids.take(pa.array(item)),
            pa.array(found, pa.float32()),
        )
        yield pa.RecordBatch.from_arrays(list(columns), schema=SCHEMA)
        done(at + len(problem.asked), len(request.users))
