"""How the native ALS compares with its peers: time per iteration, time to a loss, and quality at that loss.

    python tools/compare_als.py DATASET [--factors 64] [--rounds 3] [--seeds 5]

DATASET is one of the catalogue, such as ``seed`` (company x technology) or ``planted-ratings``. Everything runs in turn
in this process, at the threads of ``NUMBA_NUM_THREADS``; ratios are medians, of wall and of CPU time.

A fifth of each user's items is held out for NDCG@100, anew for every seed, which starts the vectors too. What is
chosen is chosen on a fifth of what is left: the regularisation by the NDCG of `implicit`, by factors of 2 and then of
its fourth root; the momentum as the one of the fewest iterations to the loss of `implicit` whose NDCG there is as good
but for `ALLOWED`. Iterations end with the first that is not above that loss.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from technobench.cpu_pipeline import als
from technobench.cpu_pipeline.implicit_als import fit
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.held_out import ranking_quality
from technobench.pipeline.splits import hold_out
from technobench.pipeline.stages.als import AlsProblem, als_problem, loss
from technobench.pipeline.workload import Workload

ALPHA, ITERATIONS, HELD_OUT = 10.0, 15, 0.2
COARSE = (25.0, 50.0, 100.0, 200.0, 400.0, 800.0)
FINE = (2**-0.5, 2**-0.25, 2**0.25, 2**0.5)
MOMENTA = (0.3, 0.4, 0.5)
INNER_SEEDS = (100, 101, 102)
ALLOWED = 0.0002
"""NDCG that may be lost for fewer iterations, in the mean over inner splits."""


class Spent(NamedTuple):
    """Seconds of wall and of CPU time."""

    wall: float
    cpu: float


class Task(NamedTuple):
    """A problem, and how it is judged."""

    problem: AlsProblem
    held_out: sp.csr_matrix

    @classmethod
    def of(cls, matrix: sp.csr_matrix, factors: int, regularization: float, seed: int) -> "Task":
        """The matrix, split by the seed."""
        training, held_out = hold_out(matrix, HELD_OUT, seed)
        return cls(als_problem(training, factors, regularization, ALPHA, ITERATIONS, seed), held_out)

    def ndcg(self, users: np.ndarray, items: np.ndarray) -> float:
        """NDCG@100 of the vectors."""
        return ranking_quality(users, items, self.problem.strengths, self.held_out, self.problem.seed)["ndcg@100"]


def timed(run: Callable[[], Any]) -> tuple[Any, Spent]:
    """What the run returns, and what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return result, Spent(time.perf_counter() - wall, time.process_time() - cpu)


def chosen_regularization(training: sp.csr_matrix, factors: int) -> float:
    """The best for `implicit`, by NDCG on an inner split."""
    quality: dict[float, float] = {}

    def judge(candidates: tuple[float, ...]) -> float:
        for each in candidates:
            task = Task.of(training, factors, each, INNER_SEEDS[0])
            quality[each] = task.ndcg(*als.batched_sparse(task.problem).run()[-1])
        return max(quality, key=quality.__getitem__)

    best = judge(COARSE)
    best = judge(tuple(best * step for step in FINE))
    print("NDCG@100 of implicit on the inner split:", {f"{k:.3g}": round(quality[k], 4) for k in sorted(quality)})
    return best


def iterations_to(target: float, problem: AlsProblem, momentum: float) -> int | None:
    """How many it takes to the loss, None where as many as the problem's do not."""
    reached = fit(problem, momentum=momentum).losses <= target
    return int(np.argmax(reached)) + 1 if reached.any() else None


def chosen_momentum(training: sp.csr_matrix, factors: int, regularization: float) -> float:
    """The one of the fewest iterations to the loss of `implicit`, on inner splits, that keeps its NDCG."""
    needed: dict[float, list[int]] = {momentum: [] for momentum in MOMENTA}
    gained: dict[float, list[float]] = {momentum: [] for momentum in MOMENTA}
    for seed in INNER_SEEDS:
        task = Task.of(training, factors, regularization, seed)
        peer = als.batched_sparse(task.problem).run()[-1]
        target, quality = loss(task.problem, *peer), task.ndcg(*peer)
        for momentum in MOMENTA:
            iterations = iterations_to(target, task.problem, momentum) or ITERATIONS
            model = fit(replace(task.problem, iterations=iterations), momentum=momentum)
            needed[momentum].append(iterations)
            gained[momentum].append(task.ndcg(model.user_factors, model.item_factors) - quality)
    for momentum in MOMENTA:
        print(f"momentum {momentum}: {needed[momentum]} iterations, NDCG@100 {np.mean(gained[momentum]):+.4f}")
    good = [momentum for momentum in MOMENTA if np.mean(gained[momentum]) >= -ALLOWED]
    return min(good or MOMENTA[:1], key=lambda momentum: sum(needed[momentum]))


def report(name: str, pairs: list[tuple[Spent, Spent]]) -> None:
    """Median ratios of a peer's time to ours."""
    ratios = np.array([[peer.wall / own.wall, peer.cpu / own.cpu] for peer, own in pairs])
    wall, cpu = np.median(ratios, axis=0)
    print(
        f"{name}: {wall:.2f}x wall ({ratios[:, 0].min():.2f} to {ratios[:, 0].max():.2f}), {cpu:.2f}x CPU", flush=True
    )


def per_iteration(matrix: sp.csr_matrix, factors: int, regularization: float, rounds: int) -> None:
    """Peers against ours, as many iterations each, and the losses that they reach."""
    problem = als_problem(matrix, factors, regularization, ALPHA, 5, 0)
    short = replace(problem, iterations=1)
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


def to_a_loss(matrix: sp.csr_matrix, factors: int, regularization: float, momentum: float, seeds: int) -> None:
    """Time to the loss of `implicit` after 15 iterations, and NDCG there, over splits and starts."""
    pairs, differences = [], []
    for seed in range(seeds):
        task = Task.of(matrix, factors, regularization, seed)
        history, peer = timed(als.batched_sparse(task.problem).run)
        needed = iterations_to(loss(task.problem, *history[-1]), task.problem, momentum)
        if needed is None:
            print(f"seed {seed}: the loss of implicit is not reached in {ITERATIONS} iterations")
            continue
        stopped = replace(task.problem, iterations=needed)
        model, own = timed(lambda stopped=stopped: fit(stopped, momentum=momentum))
        pairs.append((peer, own))
        ours, theirs = task.ndcg(model.user_factors, model.item_factors), task.ndcg(*history[-1])
        differences.append(ours - theirs)
        print(f"seed {seed}: {needed} iterations, NDCG@100 {ours:.4f}, implicit {theirs:.4f}", flush=True)
    if pairs:
        report("time to the loss, implicit CG / native-momentum", pairs)
        print(f"NDCG@100, ours less theirs: mean {np.mean(differences):+.4f}, least {min(differences):+.4f}")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dataset")
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--regularization", type=float, help="instead of choosing it")
    parser.add_argument("--momentum", type=float, help="instead of choosing it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    matrix = Workload(catalogue.get(given.dataset)).interactions().matrix
    training, _ = hold_out(matrix, HELD_OUT, 0)
    regularization = given.regularization or chosen_regularization(training, given.factors)
    print(f"{given.dataset} {matrix.shape}, {matrix.nnz} pairs, {given.factors} factors, lambda {regularization:.4g}")
    if given.rounds:
        per_iteration(matrix, given.factors, regularization, given.rounds)
    if given.seeds:
        momentum = given.momentum or chosen_momentum(training, given.factors, regularization)
        to_a_loss(matrix, given.factors, regularization, momentum, given.seeds)


if __name__ == "__main__":
    main()
