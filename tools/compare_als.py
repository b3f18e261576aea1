"""How the native ALS compares with its peers: time per iteration, time to a loss, and quality at that loss.

    python tools/compare_als.py {seed,movielens} [--factors 64] [--rounds 3] [--seeds 5]

Everything runs in turn in this process, at the threads of ``NUMBA_NUM_THREADS``; ratios are medians over rounds, of
wall and of CPU time. The regularisation is chosen for `implicit`, by NDCG on a split of the training entries.
``movielens`` is synthetic: the shape of MovieLens 1M (6,040 x 3,706, 1,000,209 pairs) with a planted structure.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from technobench.cpu_pipeline import als
from technobench.cpu_pipeline.implicit_als import fit
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.stages.als import AlsProblem, als_problem, loss
from technobench.pipeline.workload import Workload

ALPHA, ITERATIONS, DEPTH, HELD_OUT = 10.0, 15, 100, 0.2
GRID = (30.0, 100.0, 200.0, 300.0)
MEASURED_USERS = 6040


class Spent(NamedTuple):
    """Seconds of wall and of CPU time."""

    wall: float
    cpu: float


def movielens_shape(seed: int = 0, users: int = 6040, items: int = 3706, pairs: int = 1_000_209) -> sp.csr_matrix:
    """CSR of ones: users of log-normal activity, at least 20 pairs each, draw items by popularity and 24 tastes."""
    generator, tastes = np.random.default_rng(seed), 24
    activity = generator.lognormal(0, 1.1, users)
    activity = np.maximum(20, np.floor(np.minimum(activity / activity.sum() * pairs, 0.6 * items))).astype(int)
    while (missing := pairs - activity.sum()) != 0:
        chosen = np.flatnonzero((activity > 20) & (activity < items))
        activity[generator.choice(chosen, min(abs(missing), len(chosen)), replace=False)] += np.sign(missing)
    taste = generator.normal(size=(users, tastes)) * np.linspace(1.2, 0.3, tastes) * 2 / np.sqrt(tastes)
    style, popularity = generator.normal(size=(items, tastes)), generator.normal(0, 1.6, items)
    rows = []
    for user in range(users):  # the largest of utilities with Gumbel noise: drawn without replacement
        utility = style @ taste[user] + popularity + generator.gumbel(size=items)
        rows.append(np.sort(np.argpartition(-utility, activity[user] - 1)[: activity[user]]))
    pointers = np.concatenate([[0], np.cumsum(activity)])
    return sp.csr_matrix((np.ones(pairs, np.float32), np.concatenate(rows), pointers), shape=(users, items))


def split(matrix: sp.csr_matrix, seed: int) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Training and held-out entries of the same rows."""
    coordinates = matrix.tocoo()
    held_out = np.random.default_rng(seed).random(matrix.nnz) < HELD_OUT
    parts = [
        sp.csr_matrix((coordinates.data[at], (coordinates.row[at], coordinates.col[at])), shape=matrix.shape)
        for at in (~held_out, held_out)
    ]
    return parts[0], parts[1]


def ndcg(training: sp.csr_matrix, held_out: sp.csr_matrix, factors: tuple[np.ndarray, np.ndarray]) -> float:
    """Mean NDCG@100 over users with held-out entries (at most `MEASURED_USERS`), those of training left out."""
    users = np.flatnonzero(np.diff(held_out.indptr))
    users = np.sort(np.random.default_rng(0).permutation(users)[:MEASURED_USERS])
    discounts = 1 / np.log2(np.arange(2, DEPTH + 2))
    found = []
    for some in np.array_split(users, max(1, len(users) // 1000)):
        scores = factors[0][some] @ factors[1].T
        scores[training[some].nonzero()] = -np.inf
        top = np.argpartition(-scores, DEPTH, axis=1)[:, :DEPTH]
        order = np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable")
        hits = np.take_along_axis(held_out[some].toarray() > 0, np.take_along_axis(top, order, 1), 1)
        ideal = np.cumsum(discounts)[np.minimum(np.diff(held_out.indptr)[some], DEPTH) - 1]
        found.append((hits @ discounts) / ideal)
    return float(np.concatenate(found).mean())


def timed(run: Callable[[], Any]) -> tuple[Any, Spent]:
    """What the run returns, and what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return result, Spent(time.perf_counter() - wall, time.process_time() - cpu)


def problem_of(matrix: sp.csr_matrix, factors: int, regularization: float, seed: int, iterations: int) -> AlsProblem:
    """The stage's problem."""
    return als_problem(matrix, factors, regularization, ALPHA, iterations, seed)


def chosen_regularization(matrix: sp.csr_matrix, factors: int) -> float:
    """The best of the grid for `implicit`, by NDCG on a split of the first seed's training entries."""
    training, held_out = split(split(matrix, 0)[0], 100)
    quality = {}
    for each in GRID:
        history = als.batched_sparse(problem_of(training, factors, each, 0, ITERATIONS)).run()
        quality[each] = ndcg(training, held_out, history[-1])
    print("NDCG@100 of implicit on the inner split:", {k: round(v, 4) for k, v in quality.items()}, flush=True)
    return max(quality, key=quality.__getitem__)


def report(name: str, pairs: list[tuple[Spent, Spent]]) -> None:
    """Median ratios of a peer's time to ours."""
    ratios = np.array([[peer.wall / own.wall, peer.cpu / own.cpu] for peer, own in pairs])
    wall, cpu = np.median(ratios, axis=0)
    print(
        f"{name}: {wall:.2f}x wall ({ratios[:, 0].min():.2f} to {ratios[:, 0].max():.2f}), {cpu:.2f}x CPU", flush=True
    )


def per_iteration(matrix: sp.csr_matrix, factors: int, regularization: float, rounds: int) -> None:
    """Peers against ours, as many iterations each, and the losses that they reach."""
    problem = problem_of(matrix, factors, regularization, 0, 5)
    short = problem_of(matrix, factors, regularization, 0, 1)
    peers = {"batched-sparse": als.batched_sparse, "irspack": als.irspack, "native": als.native}
    exact = {"implicit-cholesky": als.implicit_cholesky, "native-exact": als.native_exact}
    runs = {name: make(problem) for name, make in peers.items()} | {name: make(short) for name, make in exact.items()}
    spent: dict[str, list[Spent]] = {name: [] for name in runs}
    for turn in range(rounds):
        for name, prepared in runs.items():
            result, taken = timed(prepared.run)
            spent[name].append(taken)
            if turn == 0:
                answer = prepared.fetch(result)
                print(f"{name}: {taken.cpu / len(answer.losses):.3f} CPU s an iteration, loss {answer.losses[-1]:.6g}")
    report("implicit CG / native", list(zip(spent["batched-sparse"], spent["native"], strict=True)))
    report("irspack CG / native", list(zip(spent["irspack"], spent["native"], strict=True)))
    report(
        "implicit Cholesky / native-exact", list(zip(spent["implicit-cholesky"], spent["native-exact"], strict=True))
    )


def to_a_loss(matrix: sp.csr_matrix, factors: int, regularization: float, seeds: int) -> None:
    """Time to the loss of `implicit` after 15 iterations, and NDCG there, over splits and starts."""
    pairs, differences = [], []
    for seed in range(seeds):
        training, held_out = split(matrix, seed)
        problem = problem_of(training, factors, regularization, seed, ITERATIONS)
        history, peer = timed(als.batched_sparse(problem).run)
        target = loss(problem, *history[-1])
        reached = fit(problem, momentum=0.5).losses <= target
        if not reached.any():
            print(f"seed {seed}: the loss of implicit is not reached in {ITERATIONS} iterations")
            continue
        needed = int(np.argmax(reached)) + 1
        stopped = problem_of(training, factors, regularization, seed, needed)
        model, own = timed(lambda stopped=stopped: fit(stopped, momentum=0.5))
        pairs.append((peer, own))
        ours, theirs = (
            ndcg(training, held_out, each) for each in ((model.user_factors, model.item_factors), history[-1])
        )
        differences.append(ours - theirs)
        print(f"seed {seed}: {needed} iterations, NDCG@100 {ours:.4f}, implicit {theirs:.4f}", flush=True)
    if pairs:
        report("time to the loss, implicit CG / native-momentum", pairs)
        print(f"NDCG@100, ours less theirs: mean {np.mean(differences):+.4f}, least {min(differences):+.4f}")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dataset", choices=["seed", "movielens"])
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--regularization", type=float, help="instead of choosing it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    is_seed = given.dataset == "seed"
    matrix = Workload(catalogue.get("seed", 1.0)).technologies().matrix if is_seed else movielens_shape()
    matrix = sp.csr_matrix(matrix, dtype=np.float32)
    regularization = given.regularization or chosen_regularization(matrix, given.factors)
    print(f"{given.dataset} {matrix.shape}, {matrix.nnz} pairs, {given.factors} factors, lambda {regularization:g}")
    per_iteration(matrix, given.factors, regularization, given.rounds)
    to_a_loss(matrix, given.factors, regularization, given.seeds)


if __name__ == "__main__":
    main()
