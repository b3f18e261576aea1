"""How the native top k compares with `implicit` and with a hash map of precomputed lists: time, latency, memory.

    python tools/compare_recommend.py [--users 6040] [--items 3706] [--factors 64] [--k 10] [--rounds 5] [--dataset D]

Everything runs in turn in this process, at the threads of ``NUMBA_NUM_THREADS``; ratios are medians over rounds, of
wall and of CPU time. Vectors are normal and users have 165 items each: once with even lengths, once with those of items
by Zipf's law. ``--dataset`` adds the vectors that the stage's ALS model has for that dataset.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from technobench.cpu_pipeline.kernels.threads import thread_count
from technobench.cpu_pipeline.recommend import RecommendationLists, TopK
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.stages.recommend import Recommend
from technobench.pipeline.workload import Workload
from threadpoolctl import threadpool_limits

OWNED, REQUESTS, PAUSE = 165, 2000, 0.2
VIEW = 128
"""Bytes of an array that is a view of another: the object, its shape and strides."""


@dataclass(frozen=True)
class Case:
    """Vectors, and what users have."""

    name: str
    users: np.ndarray
    items: np.ndarray
    owned: sp.csr_matrix


def drawn(users: int, items: int, factors: int, zipf: bool) -> Case:
    """Normal vectors; with ``zipf`` the r-th item's is shortened by (r + 10) to the power 0.9."""
    generator = np.random.default_rng(0)
    user_vectors = generator.standard_normal((users, factors), np.float32)
    item_vectors = generator.standard_normal((items, factors), np.float32)
    if zipf:
        rank = generator.permutation(items)
        item_vectors *= ((rank + 10.0) ** -0.9)[:, None].astype(np.float32)
    owned = sp.random(users, items, min(1.0, OWNED / items), "csr", np.float32, generator)
    return Case("lengths by Zipf's law" if zipf else "even lengths", user_vectors, item_vectors, owned)


def fitted(name: str, factors: int) -> Case:
    """The stage's ALS vectors of a dataset."""
    problem = Recommend().problem(Workload(catalogue.get(name), {"factors": factors}))
    return Case(f"ALS on {name}", problem.users, problem.items, problem.owned)


def break_even(precompute: float, compute: float, retrieve: float) -> float:
    """Requests between two refreshes from which on precomputing all lists takes less time than computing each.

    Args:
        precompute: seconds to make all lists.
        compute: seconds to make one when it is asked for.
        retrieve: seconds to look one up.

    Returns:
        The number, infinity where looking up is no faster than computing.

    """
    return precompute / (compute - retrieve) if compute > retrieve else float("inf")


def spent(run: Callable[[], Any]) -> tuple[Any, np.ndarray]:
    """The result, and seconds of wall and of CPU time; waiting threads of the last run have gone to sleep before."""
    time.sleep(PAUSE)
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return result, np.array([time.perf_counter() - wall, time.process_time() - cpu])


def latencies(one: Callable[[int], Any], asked: list[int]) -> tuple[float, float]:
    """Median and 99th percentile of the seconds of single calls."""
    seconds = []
    for user in asked:
        start = time.perf_counter()
        one(user)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), float(np.quantile(seconds, 0.99))


def peer(case: Case) -> Any:
    """`implicit` with the case's vectors."""
    model = AlternatingLeastSquares(factors=case.users.shape[1], num_threads=thread_count())
    model.user_factors, model.item_factors = case.users, case.items
    return model


def compare_all(case: Case, k: int, rounds: int) -> None:
    """All users at once, in turn."""
    top, model, everyone, ratios = TopK(case.items), peer(case), np.arange(len(case.users)), []
    top.recommend(case.users, k, case.owned)
    theirs, own = None, None
    for _ in range(rounds):
        own, native = spent(lambda: top.recommend(case.users, k, case.owned))
        theirs, implicit = spent(lambda: model.recommend(everyone, case.owned, k))
        ratios.append(implicit / native)
    wall, cpu = np.median(ratios, axis=0)
    low, high = np.min(ratios, axis=0)[0], np.max(ratios, axis=0)[0]
    same = float((own.items == theirs[0]).all(axis=1).mean()) if own and theirs else 0.0
    print(
        f"{case.name}, all users, implicit / native: {wall:.2f}x wall ({low:.2f} to {high:.2f}), {cpu:.2f}x CPU;"
        f" identical lists {same:.4%}",
        flush=True,
    )


def compare_one(case: Case, k: int) -> None:
    """One user a call: latency, memory of what is kept, and when precomputing pays."""
    top, model = TopK(case.items), peer(case)
    asked = np.random.default_rng(1).integers(len(case.users), size=REQUESTS).tolist()
    pointers, indices = case.owned.indptr, case.owned.indices
    top.recommend(case.users, k, case.owned)
    lists, took = spent(lambda: top.precomputed(case.users, k, case.owned))
    calls: dict[str, Callable[[int], Any]] = {
        "native": lambda user: top.one(case.users[user], k, indices[pointers[user] : pointers[user + 1]]),
        "implicit": lambda user: model.recommend(user, case.owned[user], k),
        "hash-map": lists.__getitem__,
    }
    median = {}
    for name, one in calls.items():
        latencies(one, asked[:50])
        median[name], tail = latencies(one, asked)
        print(f"{case.name}, one user, {name}: median {median[name] * 1e6:.2f} us, p99 {tail * 1e6:.2f} us", flush=True)
    vectors = case.items.nbytes + case.users.nbytes
    print(
        f"{case.name}, kept: {vectors / 2**20:.2f} MiB of vectors, by native {case.items.nbytes / 2**20:.2f} MiB more;"
        f" lists of all users {_memory_of(lists) / 2**20:.2f} MiB"
    )
    requests = break_even(float(took[0]), median["native"], median["hash-map"])
    print(
        f"{case.name}, precomputing pays from {requests:,.0f} requests between two refreshes,"
        f" {requests / len(case.users):.3f} a user",
        flush=True,
    )


def _memory_of(lists: RecommendationLists) -> int:
    """Bytes: the numbers, and a dict of views."""
    views = [lists[user] for user in lists]
    kept = dict.fromkeys(lists)
    numbers = views[0].base.nbytes if views and views[0].base is not None else 0
    return numbers + sys.getsizeof(kept) + sum(sys.getsizeof(user) + VIEW for user in lists)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, default in (("users", 6040), ("items", 3706), ("factors", 64), ("k", 10), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--dataset", action="append", default=[])
    given = parser.parse_args()
    cases = [drawn(given.users, given.items, given.factors, zipf) for zipf in (False, True)]
    cases += [fitted(name, given.factors) for name in given.dataset]
    with threadpool_limits(1, "blas"):  # as implicit asks for
        for case in cases:
            compare_all(case, given.k, given.rounds)
            compare_one(case, given.k)


if __name__ == "__main__":
    main()
