"""Variants that go wrong on purpose; the tests install them as another distribution's would be."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
from technobench.pipeline.contract import Prepared, variant
from technobench.pipeline.errors import UnsupportedModelError
from technobench.pipeline.needs import Need, package
from technobench.pipeline.scoring import inplace_margins


def _right(problem):
    booster = problem.booster()
    return lambda: inplace_margins(booster, problem.matrix)


def _work(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@variant()
def off_by_a_little(problem):
    """One score of all is wrong."""
    right = _right(problem)

    def run():
        scores = right()
        scores[len(scores) // 2] += 0.01
        return scores

    return Prepared(run)


@variant()
def turns_nan(problem):
    """Gives a score that is not a number."""
    right = _right(problem)
    return Prepared(lambda: np.where(np.arange(problem.matrix.shape[0]) == 1, np.nan, right()))


@variant()
def too_short(problem):
    """Gives one score too few."""
    right = _right(problem)
    return Prepared(lambda: right()[:-1])


@variant()
def right_then_wrong(problem):
    """Is right the first time only."""
    right, runs = _right(problem), []

    def run():
        runs.append(1)
        return right() + (len(runs) > 1)

    return Prepared(run)


@variant(device="cuda")
def lies_about_its_device(problem):
    """Claims a CUDA device and computes on the CPU."""
    return Prepared(_right(problem), ran_on=lambda: "cpu")


@variant()
def counts_its_copies(problem):
    """Says how much it copied to a device and back."""
    return Prepared(_right(problem), transferred=lambda: {"to device": 12, "to host": 4})


@variant(Need("a unicorn", lambda: "no unicorn here"), device="cuda")
def needs_a_unicorn(problem):
    """Cannot run anywhere."""
    raise AssertionError("must not be prepared")


@variant()
def refuses(problem):
    """Does no problem of this kind."""
    raise UnsupportedModelError("trees of oak are not supported; plant others")


@variant()
def raises(problem):
    """Raises in its run."""

    def run():
        raise ValueError("a reason to fail")

    return Prepared(run)


@variant()
def is_killed(problem):
    """Is killed by the system, as for want of memory."""
    return Prepared(lambda: os.kill(os.getpid(), signal.SIGKILL))


@variant()
def exits(problem):
    """Ends its process as if all were well."""
    return Prepared(lambda: os._exit(0))


@variant()
def prints(problem):
    """Prints to standard output, where replies go."""
    right = _right(problem)

    def run():
        print("noise\n" * 100, flush=True)
        os.write(1, b"more noise\n")
        return right()

    return Prepared(run)


@variant()
def hangs(problem):
    """Never ends."""
    return Prepared(lambda: time.sleep(3600))


_compiled = []


@variant()
def compiles_late(problem):
    """Takes 0.2 ms per record, and two seconds the first time that there are a hundred or more."""
    right = _right(problem)

    def run():
        seconds = 2e-4 * problem.matrix.shape[0]
        if problem.matrix.shape[0] >= 100 and not _compiled:
            _compiled.append(True)
            seconds = 2.0
        _work(seconds)
        return right()

    return Prepared(run)


_last_crumbs = []


@variant()
def leaves_crumbs(problem):
    """Its answer is brought by way of 300 MiB in small pieces, the last of which stays."""

    def fetch(answer):
        crumbs = [bytes(2048) for _ in range(150 << 10)]
        _last_crumbs.append(crumbs[-1])
        return answer

    return Prepared(_right(problem), fetch=fetch)


@variant()
def linear(problem):
    """Takes 2 ms per record."""
    right = _right(problem)

    def run():
        _work(2e-3 * problem.matrix.shape[0])
        return right()

    return Prepared(run)


@variant()
def remembers(problem):
    """Computes once and returns the same answer ever after."""
    right, answers = _right(problem), []

    def run():
        if not answers:
            time.sleep(0.4)
            answers.append(right())
        return answers[0]

    return Prepared(run)


@variant()
def leaves_a_child(problem):
    """Starts a process that uses 300 MB and does not end."""
    right, code = (
        _right(problem),
        "block = bytearray(300 << 20); import time; time.sleep(600)  # a child left by a test",
    )

    def run():
        subprocess.Popen([sys.executable, "-c", code])
        time.sleep(2.5)
        return right()

    return Prepared(run)


@variant(package("sklearn", "scikit-learn"))
def uses_estimators(problem):
    """Fits an estimator of XGBoost's for scikit-learn, which is there because the variant names its need."""
    import xgboost

    xgboost.XGBClassifier(n_estimators=2).fit(np.eye(4), [0, 1, 0, 1])
    return Prepared(_right(problem))
