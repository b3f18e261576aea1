"""Slope One, k-NN and NMF by products of sparse matrices: array algebra of some hundred rows at a time.

It runs on the host by NumPy and SciPy, on a CUDA device by CuPy; all arrays lie there. The device adds up in an order
of its own: sums of whole and half stars are exact in any, others differ in the last bits from run to run.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from .errors import UnsupportedModelError
from .rating_models import KNN, NMF, RatingModel, SlopeOne

ROWS, PAIRS = 256, 1 << 22
"""At a time at most: some 10 MB for each dense sum at MovieLens 1M's size, and 32 MB for each number of a pair."""


class Arrays(NamedTuple):
    """Who computes: `numpy` and `scipy.sparse`, or `cupy` and `cupyx.scipy.sparse`; and how much at a time.

    rows: whose sums are dense. pairs: of something asked and a rating that tells of it, and those of one more asked.
    """

    module: Any
    sparse: Any
    rows: int = ROWS
    pairs: int = PAIRS


@dataclass(frozen=True)
class Grouped:
    """Ratings put together by user (or by item).

    starts: int64[users + 1], where each one's begin. others: int32[n], the items. ratings: float64[n].
    """

    starts: Any
    others: Any
    ratings: Any

    def __len__(self) -> int:
        return self.starts.size - 1


@dataclass(frozen=True)
class Neighbourhood:
    """What k-NN starts from; x is a user and y an item, or the other way round (`KNN.user_based`).

    by_x: each x's ratings. by_y: each y's in the order given, which decides between neighbours as near as each other.
    x_values, y_values: float64[n], in the order of each, what similarities are computed from.
    deviations: float64[n], in the order of by_y, what is averaged. spread: float64[xs], their unit.
    """

    model: KNN
    by_x: Grouped
    by_y: Grouped
    x_values: Any
    y_values: Any
    deviations: Any
    spread: Any

    @property
    def min_support(self) -> int:
        """Common ratings that a similarity takes."""
        return max(2 if self.model.similarity == "pearson-baseline" else 1, self.model.min_support)


def refuse_what_is_not_of_products(model: RatingModel) -> None:
    """Raise for a model that is trained otherwise.

    Raises:
        UnsupportedModelError: it is not of products, or steps from rating to rating.

    """
    if not isinstance(model, KNN | SlopeOne | NMF) or (isinstance(model, NMF) and model.biased):
        biased = " with biases" if isinstance(model, NMF) else ""
        raise UnsupportedModelError(
            f"{type(model).__name__}{biased} is not made of products of matrices, which take all ratings at a time "
            "(steps from one to the next are held to Surprise's order); choose slope-one, nmf or a knn model"
        )


def slope_estimates(arrays: Arrays, by_user: Grouped, by_item: Grouped, means: Any, users: Any, items: Any) -> Any:
    """float64[n], Slope One's estimates for n numbers of known users and items.

    Args:
        arrays: who computes.
        by_user: the ratings.
        by_item: the same.
        means: float64[users], the mean rating of each.
        users: int64[n].
        items: int64[n], ascending.

    """
    module = arrays.module
    ones = module.ones_like(by_user.ratings)
    rows, of_rows = (_matrix(arrays, by_item, values, by_user) for values in (ones, by_item.ratings))
    rated, of_rated = (_matrix(arrays, by_user, values, by_item) for values in (ones, by_user.ratings))
    found = means[users]
    for block, asked in _blocks(arrays, items, by_item):
        common = (rows[block] @ rated).toarray()
        slopes = (of_rows[block] @ rated - rows[block] @ of_rated).toarray() / module.maximum(common, 1)
        for part, pairs in _pairs(arrays, by_user, users[asked]):
            row, other = (items[asked][part] - block.start)[pairs.owner], by_user.others[pairs.place]
            known = common[row, other] > 0
            total = _sums(module, pairs.owner, slopes[row, other], pairs.owners)
            count = _sums(module, pairs.owner, known.astype(module.float64), pairs.owners)
            found[asked.start + part.start : asked.start + part.stop] += total / module.maximum(count, 1)
    return found


def neighbour_offsets(arrays: Arrays, near: Neighbourhood, xs: Any, ys: Any) -> Any:
    """float64[n]: what the k nearest give, on average, in the unit of x; NaN where there are fewer than ``min_k``.

    Args:
        arrays: who computes.
        near: the ratings and the model.
        xs: int64[n], ascending, numbers of known x.
        ys: int64[n].

    """
    module, by_y, model = arrays.module, near.by_y, near.model
    similarities = _Similarities(arrays, near)
    found = module.full(xs.size, module.nan)
    for block, asked in _blocks(arrays, xs, near.by_x):
        similar = similarities.of(block)
        for part, pairs in _pairs(arrays, by_y, ys[asked]):
            row = (xs[asked][part] - block.start)[pairs.owner]
            weights = similar[row, by_y.others[pairs.place]]
            nearest = _nearest(module, pairs.owner, weights, model.k)
            owner, place, weights = pairs.owner[nearest], pairs.place[nearest], weights[nearest]
            terms = weights * (near.deviations[place] / near.spread[by_y.others[place]])
            total = _sums(module, owner, weights, pairs.owners)
            offset = _sums(module, owner, terms, pairs.owners) / module.where(total > 0, total, 1)
            enough = _sums(module, owner, module.ones_like(weights), pairs.owners) >= model.min_k
            here = slice(asked.start + part.start, asked.start + part.stop)
            found[here] = module.where(enough, offset * near.spread[xs[here]], module.nan)
    return found


def nmf_factors(
    arrays: Arrays, model: NMF, by_user: Grouped, by_item: Grouped, user_factors: Any, item_factors: Any
) -> tuple[Any, Any]:
    """The factors without biases after the model's epochs, float64[users, f] and [items, f], from those of the start.

    An epoch is one multiplicative step of all factors from those before it (Luo et al. 2014, eq. 12): estimates go
    where ratings are, and both are multiplied with the other side's factors.
    """
    module = arrays.module
    user_of, item_of = _owners(module, by_user), _owners(module, by_item)
    for _ in range(model.epochs):
        stepped = []
        for grouped, owners, own, others in (
            (by_user, user_of, user_factors, item_factors),
            (by_item, item_of, item_factors, user_factors),
        ):
            estimates = _products(module, own, owners, others, grouped.others)
            above, below = (
                arrays.sparse.csr_matrix(
                    (values, grouped.others, grouped.starts), shape=(len(own), len(others)), copy=True
                )
                @ others
                for values in (grouped.ratings, estimates)
            )
            counts = (grouped.starts[1:] - grouped.starts[:-1])[:, None]
            below = below + counts * model.regularization * own
            # A factor of 0, as of a user whose ratings are all 0, stays 0.
            stepped.append(module.where(own != 0, own * above / module.where(own != 0, below, 1), 0.0))
        user_factors, item_factors = stepped
    return user_factors, item_factors


def factor_estimates(arrays: Arrays, user_factors: Any, item_factors: Any, users: Any, items: Any) -> Any:
    """float64[n]: the product of the factors of each user and item."""
    return _products(arrays.module, user_factors, users, item_factors, items)


def _products(module: Any, own: Any, owners: Any, others: Any, other_of: Any) -> Any:
    total = module.zeros(owners.size)
    for factor in range(own.shape[1]):  # a product of [n, f] would take f times the memory
        total += own[:, factor][owners] * others[:, factor][other_of]
    return total


def _matrix(arrays: Arrays, grouped: Grouped, values: Any, columns: Grouped) -> Any:
    """Values where ratings are; what is repeated stays so, or is added up, which gives the same products.

    A copy, since CuPy sorts the indices of a matrix in place when it is multiplied.
    """
    shape = len(grouped), len(columns)
    return arrays.sparse.csr_matrix((values, grouped.others, grouped.starts), shape=shape, copy=True)


class _Similarities:
    """Each x's similarity to every other, some hundred x at a time."""

    def __init__(self, arrays: Arrays, near: Neighbourhood) -> None:
        self._near, self._module = near, arrays.module
        mine, theirs = near.x_values, near.y_values
        x_values = {"count": arrays.module.ones_like(mine), "value": mine, "square": mine**2}
        y_values = {"count": arrays.module.ones_like(theirs), "value": theirs, "square": theirs**2}
        self._of_x = {key: _matrix(arrays, near.by_x, values, near.by_y) for key, values in x_values.items()}
        self._of_y = {key: _matrix(arrays, near.by_y, values, near.by_x) for key, values in y_values.items()}

    def of(self, block: slice) -> Any:
        """float64[rows, xs]: 1 to itself, 0 where it is not defined."""

        def product(mine: str, theirs: str) -> Any:
            return (self._of_x[mine][block] @ self._of_y[theirs]).toarray()

        module, model = self._module, self._near.model
        common, products = product("count", "count"), product("value", "value")
        squares, other_squares = product("square", "count"), product("count", "square")
        if model.similarity == "msd":
            similar = 1 / ((squares - 2 * products + other_squares) / module.maximum(common, 1) + 1)
        else:
            if model.similarity == "pearson":
                totals, other_totals = product("value", "count"), product("count", "value")
                products = common * products - totals * other_totals
                squares = common * squares - totals**2
                other_squares = common * other_squares - other_totals**2
            roots = module.sqrt(squares * other_squares)
            similar = module.where(roots > 0, products / module.where(roots > 0, roots, 1), 0.0)
            if model.similarity == "pearson-baseline":
                similar = similar * ((common - 1) / (common - 1 + model.shrinkage))
        similar = module.where(common < self._near.min_support, 0.0, similar)
        rows = module.arange(len(similar))
        similar[rows, block.start + rows] = 1.0
        return similar


def _blocks(arrays: Arrays, rows: Any, grouped: Grouped) -> Iterator[tuple[slice, slice]]:
    """Of the grouped, some at a time, and where they are among the rows asked for, ascending; none without any."""
    count, step = len(grouped), arrays.rows
    firsts = range(0, count, step)
    edges = arrays.module.searchsorted(rows, arrays.module.arange(0, count + step, step)).tolist()
    for first, start, stop in zip(firsts, edges, edges[1:], strict=False):
        if start < stop:
            yield slice(first, min(first + step, count)), slice(start, stop)


@dataclass(frozen=True)
class _Pairs:
    """Ratings of each of so many owners: int64[pairs], whose each is, and its place among the grouped."""

    owners: int
    owner: Any
    place: Any


def _pairs(arrays: Arrays, grouped: Grouped, asked: Any) -> Iterator[tuple[slice, _Pairs]]:
    """The ratings of each that is asked for, some at a time; each has one at least."""
    module, most = arrays.module, arrays.pairs
    first = grouped.starts[asked]
    ends = module.cumsum(grouped.starts[asked + 1] - first)
    edges = module.searchsorted(ends, module.arange(most, int(ends[-1]), most)).tolist()
    for start, stop in zip([0, *edges], [*edges, asked.size], strict=True):
        if start == stop:
            continue
        before = int(ends[start - 1]) if start else 0
        lasts = ends[start:stop] - before
        owner = module.zeros(int(lasts[-1]), module.int64)
        owner[lasts[:-1]] = 1
        owner = module.cumsum(owner)
        begins = module.concatenate([module.zeros(1, module.int64), lasts[:-1]])
        place = module.arange(owner.size) + (first[start:stop] - begins)[owner]
        yield slice(start, stop), _Pairs(stop - start, owner, place)


def _nearest(module: Any, owner: Any, weights: Any, k: int) -> Any:
    """int64: places of each owner's k largest weights above 0, of equal ones the first; owners ascend."""
    near = module.flatnonzero(weights > 0)
    near = near[module.argsort(-weights[near], kind="stable")]
    near = near[module.argsort(owner[near], kind="stable")]
    rank = module.arange(near.size) - module.searchsorted(owner[near], owner[near], side="left")
    return near[rank < k]


def _sums(module: Any, owner: Any, terms: Any, owners: int) -> Any:
    """float64[owners]: the terms of each added up."""
    if owner.size == 0:  # CuPy's bincount took their maximum before version 14
        return module.zeros(owners)
    return module.bincount(owner, weights=terms, minlength=owners)


def _owners(module: Any, grouped: Grouped) -> Any:
    """int64[n]: whose each rating is."""
    return module.searchsorted(grouped.starts[1:], module.arange(grouped.others.size), side="right")
