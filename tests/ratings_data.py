"""Ratings for tests: small ones with every oddity, and synthetic ones of the shape of MovieLens."""

import numpy as np
from technobench.pipeline.stages.ratings import RatingTriples


def movielens_shaped(users, items, ratings, seed=0, half_stars=False):
    """Distinct pairs with power-law marginals; stars from biases, a planted low rank and noise."""
    generator = np.random.default_rng(seed)
    activity = np.exp(generator.normal(size=users))
    most = items * 5 // 8
    least = min(20, ratings // users, most)
    counts = np.minimum(least + (activity / activity.sum() * (ratings - least * users)).astype(int), most)
    while (short := ratings - counts.sum()) > 0:
        room = np.flatnonzero(counts < most)
        counts[generator.choice(room, min(short, len(room)), replace=False)] += 1
    popularity = -6.3 * (generator.permutation(items) / items) ** 0.8
    chosen = [
        np.argpartition(-(popularity + generator.gumbel(size=items)), count - 1)[:count] for count in counts.tolist()
    ]
    who, what = np.repeat(np.arange(users), counts), np.concatenate(chosen)
    stars = 3.6 + generator.normal(0, 0.4, users)[who] + generator.normal(0, 0.5, items)[what]
    tastes, traits = generator.normal(0, 0.35, (users, 8)), generator.normal(0, 0.6, (items, 8))
    stars += np.einsum("nf,nf->n", tastes[who], traits[what]) + generator.normal(0, 0.75, len(who))
    unit = 0.5 if half_stars else 1.0
    stars = np.clip(np.rint(stars / unit) * unit, unit, 5)
    return RatingTriples(who.astype(np.int32), what.astype(np.int32), stars, (unit, 5.0))
