"""Bounds, probabilities and Holm's procedure against brute force, and what they promise on samples that misbehave."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_1samp
from technobench.bench.gate.signs import fewest_values, median_bounds, probability_above, rejected

REPETITIONS = 8000
ALPHA = 0.05
SIZES = (7, 12, 20, 40)


@pytest.mark.parametrize("count", range(1, 13))
def test_a_probability_is_the_share_of_sign_patterns_with_as_many_above(count):
    """All 2**n patterns of a median that is the limit are as likely."""
    patterns = list(itertools.product((-1.0, 1.0), repeat=count))
    above = [sum(sign > 0 for sign in pattern) for pattern in patterns]
    for signs in (pattern for pattern in patterns if list(pattern) == sorted(pattern)):
        as_many = sum(each >= sum(sign > 0 for sign in signs) for each in above)
        assert probability_above(signs, 0.0) == pytest.approx(as_many / 2**count, rel=1e-12)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=60), st.integers(-3, 3))
def test_a_probability_is_scipys(values, limit):
    above = sum(value > limit for value in values)
    expected = binomtest(above, len(values), alternative="greater").pvalue
    assert probability_above(values, limit) == pytest.approx(expected, rel=1e-9)


def test_a_value_that_is_the_limit_does_not_speak_against_it():
    assert probability_above([0.03] * 20, 0.03) == 1
    assert probability_above([], 0.0) == 1


@pytest.mark.parametrize("alpha", [0.3, 0.25, 0.05, 0.0025, 2.0**-9, 1e-4])
def test_bounds_are_the_tightest_order_statistics_that_keep_the_promise(alpha):
    """The k-th smallest (from 0) is above the median with the share of patterns that have k values or fewer below."""
    for count in range(1, 41):
        chance = np.cumsum([math.comb(count, below) for below in range(count + 1)]) / 2.0**count
        allowed = [rank for rank in range(count) if chance[rank] <= alpha]
        found = median_bounds([float(value) for value in reversed(range(count))], alpha)
        if not allowed:
            assert found.low is found.high is found.half_width is None
            continue
        assert (found.low, found.high) == (max(allowed), count - 1 - max(allowed))
        assert found.half_width == (found.high - found.low) / 2


@pytest.mark.parametrize("alpha", [0.5, 0.3, 0.25, 0.05, 0.01, 0.0025, 2.0**-9, 0.001, 1e-6])
def test_the_fewest_values_are_those_that_bounds_and_a_rejection_need(alpha):
    """The least n with 2**-n at most alpha."""
    needed = fewest_values(alpha)
    assert needed == next(count for count in range(1, 60) if 2.0**-count <= alpha)
    assert median_bounds([1.0] * needed, alpha).low == 1.0
    assert probability_above([1.0] * needed, 0.0) <= alpha
    if needed > 1:
        assert median_bounds([1.0] * (needed - 1), alpha).low is None
        assert probability_above([1.0] * (needed - 1), 0.0) > alpha


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(1e-4, 0.5), st.floats(-1e6, 1e6))
def test_bounds_and_probability_say_the_same(values, alpha, limit):
    """The lower bound is at the limit or above exactly where the test of it rejects; so the upper one, upside down."""
    bounds = median_bounds(values, alpha)
    assert (bounds.low is not None and bounds.low > limit) == (probability_above(values, limit) <= alpha)
    beneath = probability_above([-value for value in values], -limit) <= alpha
    assert (bounds.high is not None and bounds.high < limit) == beneath
    if bounds.low is not None:
        assert min(values) <= bounds.low <= bounds.median <= bounds.high <= max(values)


def holm(probabilities, alpha):
    """As the textbook has it: reject the least of those left, or stop; all thresholds afresh each time."""
    left = set(range(len(probabilities)))
    while left:
        least = min(left, key=lambda index: probabilities[index])
        if probabilities[least] > alpha / len(left):
            break
        left.remove(least)
    return [index not in left for index in range(len(probabilities))]


@given(st.lists(st.sampled_from([0.0, 0.001, 0.0033, 0.005, 0.01, 0.02, 0.5, 1.0]), max_size=12), st.floats(0.001, 0.2))
def test_rejections_are_holms(probabilities, alpha):
    assert rejected(probabilities, alpha) == holm(probabilities, alpha)


def test_holm_rejects_more_than_bonferroni_and_no_more_than_it_may():
    assert rejected([0.012, 0.9, 0.024, 0.016], 0.05) == [True, False, True, True]
    assert rejected([0.013, 0.9, 0.024, 0.016], 0.05) == [False, False, False, False]
    assert rejected([], 0.05) == []


def _drift(random, shape):
    """Launches get slower and slower, in both arms; what is left of it in their ratio is noise that grows with it."""
    return random.normal(size=shape) * np.linspace(1, 5, shape[1])


def _steps(random, shape):
    """The machine turns three times as noisy somewhere in the middle."""
    begin = random.integers(1, shape[1], (shape[0], 1))
    return random.normal(size=shape) * np.where(np.arange(shape[1]) >= begin, 3, 1)


def _two_modes(random, shape):
    """Each launch is lucky or not, far apart; with a bit of noise, so that the median is between the modes."""
    return np.where(random.random(shape) < 0.5, -1.0, 1.0) + 0.05 * random.normal(size=shape)


SAMPLES = {
    "normal": lambda random, shape: random.normal(size=shape),
    "cauchy": lambda random, shape: random.standard_cauchy(shape),
    "pareto": lambda random, shape: random.pareto(0.8, shape) + 1 - 2 ** (1 / 0.8),
    "skew": lambda random, shape: random.lognormal(0, 2, shape) - 1,
    "drift": _drift,
    "steps": _steps,
    "two modes": _two_modes,
    "ties": lambda random, shape: np.round(random.normal(size=shape)),
}
"""Samples, a row each, of values whose median is 0."""


def _probability(above, count):
    return probability_above([1.0] * above + [-1.0] * (count - above), 0.0)


def _found(name, count, shift=0.0):
    """Bounds at ALPHA and probabilities of being above 0, a row each: (low, high, probability)."""
    values = SAMPLES[name](np.random.default_rng(11), (REPETITIONS, count)) + shift
    ordered = np.sort(values, axis=1)
    # The rank does not depend on the values, so that one call tells it for all of them.
    ranks = median_bounds(np.arange(count, dtype=float), ALPHA)
    low, high = ordered[:, int(ranks.low)], ordered[:, int(ranks.high)]
    for row in range(0, REPETITIONS, REPETITIONS // 20):
        assert median_bounds(values[row], ALPHA)[1:] == (low[row], high[row])
    by_count = np.array([_probability(above, count) for above in range(count + 1)])
    return low, high, by_count[np.sum(values > 0, axis=1)]


def _at_most(alpha):
    """The largest share of so many repetitions that a rate of alpha gives but once in some ten thousand times."""
    return alpha + 4 * math.sqrt(alpha * (1 - alpha) / REPETITIONS)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("name", SAMPLES)
def test_each_bound_is_wrong_and_each_alarm_false_as_seldom_as_promised(name, count):
    low, high, probability = _found(name, count)
    assert np.mean(low > 0) <= _at_most(ALPHA)
    assert np.mean(high < 0) <= _at_most(ALPHA)
    assert np.mean(probability <= ALPHA) <= _at_most(ALPHA)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "ties"])
def test_bounds_are_no_more_careful_than_whole_numbers_of_values_make_them(name):
    """Where values do not tie, a bound is wrong as often as the binomial distribution says, not less."""
    for count in SIZES:
        ranks = median_bounds(np.arange(count, dtype=float), ALPHA)
        exact = sum(math.comb(count, below) for below in range(int(ranks.low) + 1)) / 2**count
        low, high, _ = _found(name, count)
        for wrong in (np.mean(low > 0), np.mean(high < 0)):
            assert wrong == pytest.approx(exact, abs=4 * math.sqrt(exact / REPETITIONS))


@pytest.mark.parametrize(("name", "above"), [("normal", 0.8413), ("cauchy", 0.75)])
def test_a_shift_of_as_much_as_the_noise_is_told_as_often_as_that_many_values_are_above(name, above):
    """Where a share ``above`` of all values is above none, 15 of 20 values must be for an alarm at 5 %."""
    needed = next(count for count in range(21) if _probability(count, 20) <= ALPHA)
    power = sum(math.comb(20, k) * above**k * (1 - above) ** (20 - k) for k in range(needed, 21))
    told = np.mean(_found(name, 20, shift=1.0)[2] <= ALPHA)
    assert needed == 15
    assert told == pytest.approx(power, abs=4 * math.sqrt(power * (1 - power) / REPETITIONS))


def test_with_heavy_tails_more_is_seen_than_by_a_t_test():
    values = SAMPLES["cauchy"](np.random.default_rng(11), (REPETITIONS, 20)) + 1.0
    seen_by_t = np.mean(ttest_1samp(values, 0.0, axis=1, alternative="greater").pvalue <= ALPHA)
    assert np.mean(_found("cauchy", 20, shift=1.0)[2] <= ALPHA) > 1.5 * seen_by_t > 0.1
