"""How many times less CPU time the native rating models take than Surprise, and the wall time of a cross-validation.

    python tools/compare_ratings.py [--dataset planted-ratings] [--models svd nmf ...] [--no-surprise]

CPU time of all threads, of fit and test of one fold, one after the other in this process; the ratio is of the two, in
turn, beside the bar that the native engines are to pass. Surprise's SVD++ takes minutes to an hour a fold, so that it
learns `SOME_USERS` for one epoch: its time is proportional to the epochs and, a rating costing as much as its user has
ratings, to the sum of their squares; such a figure is marked ``~``. Last comes the wall time of five models by five
folds on all threads of ``NUMBA_NUM_THREADS``.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.interactions import Ratings
from technobench.pipeline.rating_models import SVDpp
from technobench.pipeline.stages.ratings import RatingsProblem, rating_problem
from technobench.pipeline.workload import Workload

BARS = {"svd": 8, "svdpp": 300, "nmf": 12, "slope-one": 60, "knn-basic": 50}
"""Times the CPU time of Surprise."""
WALL_BAR = 30.0
"""Seconds of five models by five folds on two cores."""
SOME_USERS, WARM_UP_RATINGS = 200, 2_000


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of this process, all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def by_native(problem: RatingsProblem) -> float:
    """Seconds of fit and test of the first fold."""
    from technobench.cpu_pipeline.rating_models.model import fit

    split = problem.splits()[0]
    train, test = problem.data.of(split.train), problem.data.of(split.test)
    return cpu_seconds(
        lambda: fit(problem.model, train.users, train.items, train.values, train.scale).predict(test.users, test.items)
    )


def by_surprise(problem: RatingsProblem) -> tuple[float, bool]:
    """Seconds of fit and test of the first fold, its sets made beforehand; whether they are extrapolated."""
    from technobench.cpu_pipeline.rating_models.surprise_models import algorithm_of, tested, testset_of, trainset_of

    split = problem.splits()[0]
    train, testset = problem.data.of(split.train), testset_of(problem.data.of(split.test))
    model, factor = problem.model, 1.0
    if isinstance(model, SVDpp):
        users = np.random.default_rng(0).permutation(np.unique(train.users))[:SOME_USERS]
        some = train.of(np.flatnonzero(np.isin(train.users, users)))
        factor = model.epochs * _squares(train) / _squares(some)
        train, model = some, replace(model, epochs=1)
    trainset, algorithm = trainset_of(train), algorithm_of(model)
    seconds = cpu_seconds(lambda: algorithm.fit(trainset)) * factor
    return seconds + cpu_seconds(lambda: tested(algorithm, testset, model)), factor != 1.0


def _squares(data: Ratings) -> float:
    return float((np.bincount(data.users).astype(np.float64) ** 2).sum())


def cross_validated(data: Ratings, models: list[str]) -> float:
    """Seconds of wall time of all folds of the models, in turn."""
    from technobench.cpu_pipeline.ratings import native

    runs = [native(rating_problem(data, name, 5, 0, {})).run for name in models]
    start = time.perf_counter()
    for run in runs:
        run()
    return time.perf_counter() - start


def main() -> None:
    """Print a line for each model, and the wall time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dataset", default="planted-ratings")
    parser.add_argument("--models", nargs="+", default=list(BARS), metavar="MODEL")
    parser.add_argument("--no-surprise", action="store_true", help="native alone")
    given = parser.parse_args()
    data = Workload(catalogue.get(given.dataset)).ratings()
    print("model            native, CPU   Surprise, CPU     ratio      bar")
    for name in given.models:
        by_native(rating_problem(data.of(slice(WARM_UP_RATINGS)), name, 5, 0, {}))  # compiled code is loaded
        problem = rating_problem(data, name, 5, 0, {})
        ours = by_native(problem)
        line = f"{name:16} {ours:9.2f} s"
        if not given.no_surprise:
            theirs, extrapolated = by_surprise(problem)
            mark = "~" if extrapolated else ""
            line += f"   {mark + format(theirs, ',.1f'):>12} s   {mark + format(theirs / ours, ',.0f'):>6}x"
            line += f"   {BARS[name]:5}x" if name in BARS else ""
        print(line, flush=True)
    seconds = cross_validated(data, given.models)
    print(f"{len(given.models)} models x 5 folds: {seconds:.1f} s of wall time (bar for {len(BARS)}: {WALL_BAR:g} s)")


if __name__ == "__main__":
    main()
