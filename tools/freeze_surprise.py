"""Keeps what Surprise says of a few ratings, so that tests compare with it where it is not installed.

    python tools/freeze_surprise.py > tests/surprise_expected.json

The ratings are kept with the estimates; of five folds the first is estimated, by the stage's folds and starts, which
NumPy's RandomState gives and so the same everywhere.
"""

import importlib.metadata
import json
import sys
from typing import Any

import numpy as np
from technobench.cpu_pipeline.ratings import naive
from technobench.pipeline.interactions import Ratings
from technobench.pipeline.rating_models import MODELS
from technobench.pipeline.stages.ratings import rating_problem

USERS, ITEMS, RATINGS, FOLDS, SEED = 25, 18, 200, 5, 3
SIMILARITIES = ("cosine", "pearson", "pearson-baseline")
CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in MODELS),
    *(("knn-basic", {"similarity": each}) for each in SIMILARITIES),
    ("knn-means", {"similarity": "pearson", "user_based": False, "min_support": 3, "k": 5}),
    ("knn-baseline", {"similarity": "pearson-baseline", "shrinkage": 5.0, "biases": "sgd"}),
    ("svd", {"factors": 3, "rate": 0.02, "regularization": 0.3, "epochs": 5}),
]


def main() -> None:
    """Print the ratings and the estimates as JSON, one case a line."""
    generator = np.random.default_rng(SEED)
    pairs = np.sort(generator.choice(USERS * ITEMS, RATINGS, replace=False))
    users, items = pairs // ITEMS, pairs % ITEMS
    mean = 3.4 + generator.normal(0, 0.7, USERS)[users] + generator.normal(0, 0.7, ITEMS)[items]
    values = np.clip(np.rint(generator.normal(mean, 0.7)), 1, 5)
    data = Ratings(users.astype(np.int32), items.astype(np.int32), values, (1.0, 5.0))
    versions = {name: importlib.metadata.version(name) for name in ("scikit-surprise", "numpy")}
    told = {"users": users.tolist(), "items": items.tolist(), "values": values.tolist(), "folds": FOLDS, "seed": SEED}
    print(f'{{"versions": {json.dumps(versions)},\n"ratings": {json.dumps(told)},\n"cases": [')
    for place, (name, given) in enumerate(CASES):
        problem = rating_problem(data, name, FOLDS, SEED, {"seed": SEED, "judged_folds": 1, **given})
        estimates = naive(problem).run()[problem.splits()[0].test]
        case = {"model": name, "given": given, "estimates": estimates.tolist()}
        print(json.dumps(case) + ("," if place + 1 < len(CASES) else ""))
        print(f"{name} {given}", file=sys.stderr)
    print("]}")


if __name__ == "__main__":
    main()
