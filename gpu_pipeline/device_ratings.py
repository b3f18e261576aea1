"""Folds of ratings on the device, and models fitted to them by array algebra; all in float64."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..pipeline.interactions import Ratings
from ..pipeline.rating_models import KNN, NMF, BaselineALS, RatingModel, SlopeOne
from ..pipeline.rating_products import (
    Arrays,
    Grouped,
    Neighbourhood,
    factor_estimates,
    neighbour_offsets,
    nmf_factors,
    slope_estimates,
)


@dataclass(frozen=True)
class Fold:
    """What is learned from, and what is asked; users and items are numbered as they come first, -1 where unknown.

    module: `numpy`, or `cupy` where the arrays are on the device.
    users, items: int32[n]; ratings: float64[n], in the order given. user_count, item_count: how many there are.
    asked_users, asked_items: int32[m].
    scale: lowest and highest estimate.
    """

    module: Any
    users: Any
    items: Any
    ratings: Any
    user_count: int
    item_count: int
    asked_users: Any
    asked_items: Any
    scale: tuple[float, float]

    @classmethod
    def of(cls, data: Ratings, asked: Ratings) -> "Fold":
        """Number users and items, on the host."""
        users, items = _Numbers(data.users), _Numbers(data.items)
        known = users.of(data.users), items.of(data.items), data.values.astype(np.float64)
        asked_numbers = users.of(asked.users), items.of(asked.items)
        return cls(np, *known, len(users), len(items), *asked_numbers, data.scale)

    def on(self, module: Any) -> "Fold":
        """Copied to the device."""
        names = "users", "items", "ratings", "asked_users", "asked_items"
        return replace(self, module=module, **{name: module.asarray(getattr(self, name)) for name in names})

    def by_user(self) -> Grouped:
        """Each user's ratings in the order given."""
        return self._grouped(self.users, self.items, self.user_count)

    def by_item(self) -> Grouped:
        """Each item's ratings in the order given."""
        return self._grouped(self.items, self.users, self.item_count)

    def _grouped(self, keys: Any, others: Any, count: int) -> Grouped:
        order = self.module.argsort(keys, kind="stable")
        starts = self.module.searchsorted(keys[order], self.module.arange(count + 1))
        return Grouped(starts, others[order], self.ratings[order])

    def asked(self, rows: Any) -> Any:
        """int64: the places of the pairs asked for of which both are known, by row; ``rows``: their users or items."""
        places = self.module.flatnonzero((self.asked_users >= 0) & (self.asked_items >= 0))
        return places[self.module.argsort(rows[places], kind="stable")]


class _Numbers:
    """Numbers for ids, as these come first."""

    def __init__(self, ids: np.ndarray) -> None:
        self._ids, first = np.unique(ids, return_index=True)
        self._numbers = np.argsort(np.argsort(first)).astype(np.int32)

    def __len__(self) -> int:
        return len(self._ids)

    def of(self, ids: np.ndarray) -> np.ndarray:
        """int32[n]; -1 where unknown."""
        places = np.searchsorted(self._ids, ids).clip(max=len(self) - 1)
        return np.where(self._ids[places] == ids, self._numbers[places], np.int32(-1))


def estimates(arrays: Arrays, model: RatingModel, fold: Fold) -> Any:
    """float64[m] of what is asked, by Slope One, k-NN or NMF without biases; no other model is of products."""
    if isinstance(model, SlopeOne):
        found = _by_slopes(arrays, fold)
    elif isinstance(model, NMF):
        found = _by_factors(arrays, model, fold)
    else:
        assert isinstance(model, KNN)
        found = _by_neighbours(arrays, model, fold)
    module = arrays.module
    return module.clip(module.where(module.isnan(found), fold.ratings.mean(), found), *fold.scale)


def _by_slopes(arrays: Arrays, fold: Fold) -> Any:
    users, items, places = fold.asked_users, fold.asked_items, fold.asked(fold.asked_items)
    found = arrays.module.full(users.size, arrays.module.nan)
    means = _means(arrays.module, fold.users, fold.ratings, fold.user_count)
    found[places] = slope_estimates(arrays, fold.by_user(), fold.by_item(), means, users[places], items[places])
    return found


def _by_factors(arrays: Arrays, model: NMF, fold: Fold) -> Any:
    random = np.random.RandomState(model.seed)  # users' first, as Surprise draws them
    starts = [
        arrays.module.asarray(random.uniform(model.init_low, model.init_high, (count, model.factors)))
        for count in (fold.user_count, fold.item_count)
    ]
    factors = nmf_factors(arrays, model, fold.by_user(), fold.by_item(), *starts)
    users, items, places = fold.asked_users, fold.asked_items, fold.asked(fold.asked_users)
    found = arrays.module.full(users.size, arrays.module.nan)
    found[places] = factor_estimates(arrays, *factors, users[places], items[places])
    return found


class _Centres(NamedTuple):
    """What each rating given deviates from, float64[n]; the unit, float64[xs]; and what is asked starts from.

    base: float64[m], what neighbours' deviations are added to. alone: float64[m], the estimate without any.
    """

    of_ratings: Any
    spread: Any
    base: Any
    alone: Any


def _by_neighbours(arrays: Arrays, model: KNN, fold: Fold) -> Any:
    module, by_user, by_item = arrays.module, fold.by_user(), fold.by_item()
    xs, ys = (fold.asked_users, fold.asked_items) if model.user_based else (fold.asked_items, fold.asked_users)
    by_x, by_y = (by_user, by_item) if model.user_based else (by_item, by_user)
    centres = _centres(module, model, fold)
    order = module.argsort(fold.items if model.user_based else fold.users, kind="stable")
    deviations = (fold.ratings - centres.of_ratings)[order]
    near = Neighbourhood(model, by_x, by_y, by_x.ratings, by_y.ratings, deviations, centres.spread)
    places = fold.asked(xs)
    offsets = neighbour_offsets(arrays, near, xs[places], ys[places])
    told = module.flatnonzero(~module.isnan(offsets))
    found = centres.alone
    found[places[told]] = centres.base[places[told]] + offsets[told]
    return found


def _centres(module: Any, model: KNN, fold: Fold) -> _Centres:
    xs, asked, count = fold.users, fold.asked_users, fold.user_count
    if not model.user_based:
        xs, asked, count = fold.items, fold.asked_items, fold.item_count
    ones = module.ones(count)
    if model.centring == "baseline":
        assert isinstance(model.baseline, BaselineALS)
        of_users, of_items = _biases(module, model.baseline, fold)
        base = fold.ratings.mean() + _or_zero(module, of_users, fold.asked_users)
        base = base + _or_zero(module, of_items, fold.asked_items)
        of_ratings = fold.ratings.mean() + of_users[fold.users] + of_items[fold.items]
        return _Centres(of_ratings, ones, base, base.copy())
    nothing = module.full(asked.size, module.nan)
    if model.centring == "basic":
        return _Centres(module.zeros(xs.size), ones, module.zeros(asked.size), nothing)
    means = _means(module, xs, fold.ratings, count)
    spread = ones
    if model.centring == "z-score":
        spread = module.sqrt(_means(module, xs, (fold.ratings - means[xs]) ** 2, count))
        overall = float(fold.ratings.std()) or 1.0
        spread = module.where(spread == 0, overall, spread)
    base = _or_zero(module, means, asked)
    unknown = (fold.asked_users < 0) | (fold.asked_items < 0)
    return _Centres(means[xs], spread, base, module.where(unknown, module.nan, base))


def _biases(module: Any, model: BaselineALS, fold: Fold) -> tuple[Any, Any]:
    """float64[users] and float64[items] by alternating least squares (Koren 2010, section 2.1), items first."""
    around = fold.ratings - fold.ratings.mean()
    users, items = (fold.users, fold.user_count), (fold.items, fold.item_count)
    user_counts, item_counts = (module.bincount(who, minlength=count) for who, count in (users, items))
    of_users = module.zeros(fold.user_count)
    of_items = module.zeros(fold.item_count)
    for _ in range(model.epochs):
        left = module.bincount(fold.items, weights=around - of_users[fold.users], minlength=fold.item_count)
        of_items = left / (model.item_regularization + item_counts)
        left = module.bincount(fold.users, weights=around - of_items[fold.items], minlength=fold.user_count)
        of_users = left / (model.user_regularization + user_counts)
    return of_users, of_items


def _means(module: Any, owners: Any, values: Any, count: int) -> Any:
    """float64[count]: the mean of each one's values; each has one at least."""
    return module.bincount(owners, weights=values, minlength=count) / module.bincount(owners, minlength=count)


def _or_zero(module: Any, values: Any, numbers: Any) -> Any:
    """float64: the value of each number, 0 for -1."""
    return module.where(numbers >= 0, values[module.maximum(numbers, 0)], 0.0)
