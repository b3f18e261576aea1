"""Ratings for tests: small, each pair at most once, some users and items with many and some with few or none."""

import numpy as np
from technobench.pipeline.interactions import Ratings


def starred(users, items, ratings, seed=0, half_stars=False):
    """Whole or half stars up to 5, from biases and noise."""
    generator = np.random.default_rng(seed)
    weights = np.outer(generator.lognormal(size=users), generator.lognormal(size=items)).ravel()
    pairs = generator.choice(users * items, ratings, replace=False, p=weights / weights.sum())
    who, what = np.sort(pairs) // items, np.sort(pairs) % items
    stars = generator.normal(3.6, 0.8, ratings) + generator.normal(0, 0.5, users)[who]
    unit = 0.5 if half_stars else 1.0
    stars = np.clip(np.rint((stars + generator.normal(0, 0.6, items)[what]) / unit) * unit, unit, 5)
    return Ratings(who.astype(np.int32), what.astype(np.int32), stars, (unit, 5.0))
