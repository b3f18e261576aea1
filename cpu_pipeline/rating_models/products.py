"""Slope One and k-NN by products of sparse matrices: what some hundred rows have in common with all others at once."""

import numpy as np
import scipy.sparse as sp

from ...pipeline.stages.ratings import RatingsProblem
from .model import fit
from .neighbours import Neighbours
from .slopes import Slopes
from .trainset import Grouped

_ROWS = 256
"""Rows whose sums are dense at a time: some 10 MB for each sum at MovieLens 1M's size."""


def estimates_by_products(problem: RatingsProblem) -> np.ndarray:
    """float64[n] estimates, fold by fold; the problem's model is Slope One or k-NN."""
    estimates = np.full(len(problem.data), np.nan)
    for split in problem.splits():
        data, asked = problem.data.of(split.train), problem.data.of(split.test)
        fitted = fit(problem.model, data.users, data.items, data.values, data.scale)
        users, items = fitted.trainset.user_numbers(asked.users), fitted.trainset.item_numbers(asked.items)
        learned = fitted.learned
        if isinstance(learned, Slopes):
            found = _slopes(learned, users, items)
        else:
            assert isinstance(learned, Neighbours)
            found = _near(learned, users, items)
        found[np.isnan(found)] = fitted.trainset.mean
        estimates[split.test] = found.clip(*data.scale)
    return estimates


def _matrix(grouped: Grouped, values: np.ndarray, columns: int) -> sp.csr_matrix:
    """Values where ratings are; what is repeated stays so, since products count it as often."""
    return sp.csr_matrix((values, grouped.others, grouped.starts), shape=(len(grouped), columns))


def _slopes(learned: Slopes, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    by_user, by_item = learned.by_user, learned.by_item
    ones = np.ones_like(by_user.ratings)
    rows, of_rows = _matrix(by_item, ones, len(by_user)), _matrix(by_item, by_item.ratings, len(by_user))
    rated, of_rated = _matrix(by_user, ones, len(by_item)), _matrix(by_user, by_user.ratings, len(by_item))
    asked = learned.asked(users, items)
    found = np.full(len(users), np.nan)
    for first in range(0, len(by_item), _ROWS):
        block = slice(first, first + _ROWS)
        common = (rows[block] @ rated).toarray()
        slopes = (of_rows[block] @ rated - rows[block] @ of_rated).toarray() / np.maximum(common, 1)
        for row in range(len(common)):
            here = slice(asked.starts[first + row], asked.starts[first + row + 1])
            sums = rated[asked.columns[here]] @ np.column_stack([slopes[row], common[row] > 0])
            found[asked.places[here]] = learned.means[asked.columns[here]] + sums[:, 0] / np.maximum(sums[:, 1], 1)
    return found


def _near(learned: Neighbours, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    model, by_x, by_y = learned.model, learned.by_x, learned.by_y
    asked, base, found = learned.asked(users, items)
    for first in range(0, len(by_x), _ROWS):
        rows = _similarities(learned, slice(first, first + _ROWS))
        for x, near in enumerate(rows, first):
            near[x] = 1.0
            for place in range(asked.starts[x], asked.starts[x + 1]):
                y, target = asked.columns[place], asked.places[place]
                met = slice(by_y.starts[y], by_y.starts[y + 1])
                others, deviations = by_y.others[met], learned.deviations[met]
                nearest = np.argsort(-near[others], kind="stable")[: model.k]
                nearest = nearest[near[others[nearest]] > 0]
                if len(nearest) >= model.min_k:
                    weights, units = near[others[nearest]], learned.spread[others[nearest]]
                    mean = weights @ (deviations[nearest] / units) / weights.sum()
                    found[target] = base[target] + mean * learned.spread[x]
    return found


def _similarities(learned: Neighbours, rows: slice) -> np.ndarray:
    """float64[rows, xs]: each row's similarity to every x, 0 where it is not defined."""
    model, by_x, by_y = learned.model, learned.by_x, learned.by_y

    def product(x_values: np.ndarray, y_values: np.ndarray) -> np.ndarray:
        return (_matrix(by_x, x_values, len(by_y))[rows] @ _matrix(by_y, y_values, len(by_x))).toarray()

    mine, theirs, ones = learned.x_values, learned.y_values, np.ones_like(learned.x_values)
    common, products = product(ones, ones), product(mine, theirs)
    squares, other_squares = product(mine**2, ones), product(ones, theirs**2)
    if model.similarity == "msd":
        similar = 1 / ((squares - 2 * products + other_squares) / np.maximum(common, 1) + 1)
    else:
        if model.similarity == "pearson":
            totals, other_totals = product(mine, ones), product(ones, theirs)
            products = common * products - totals * other_totals
            squares = common * squares - totals**2
            other_squares = common * other_squares - other_totals**2
        roots = np.sqrt(squares * other_squares)
        similar = np.divide(products, roots, out=np.zeros_like(roots), where=roots > 0)
        if model.similarity == "pearson-baseline":
            similar *= (common - 1) / (common - 1 + model.shrinkage)
    return np.where(common < learned.min_support, 0.0, similar)
