"""Intervals have the coverage that they claim; extrapolations find a known power law and cover it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from technobench.bench.extrapolation import Point, extrapolate
from technobench.bench.statistics import median_interval, ratio_interval


def test_few_rounds_have_no_interval():
    assert median_interval([2.0]).median == 2.0
    assert median_interval([1.0, 3.0, 2.0, 4.0]).low is None
    assert median_interval([1.0, 3.0, 2.0, 4.0]).half_width == float("inf")


@given(st.lists(st.floats(1e-6, 1e6), min_size=5, max_size=30))
def test_the_interval_holds_the_median_and_lies_within_the_sample(values):
    interval = median_interval(values)
    assert min(values) <= interval.low <= interval.median <= interval.high <= max(values)


def test_coverage_with_heavy_tails():
    random = np.random.default_rng(7)
    draws = [median_interval(np.exp(0.1 * random.standard_t(3, 5))) for _ in range(200)]
    covered = np.mean([interval.low <= 1.0 <= interval.high for interval in draws])
    assert covered >= 0.90


def test_drift_that_both_share_cancels_in_the_ratio():
    """Both get slower by half in the middle: each time moves, their ratio does not."""
    drift = np.where(np.arange(20) < 10, 1.0, 1.5)
    interval = ratio_interval(2 * drift, drift)
    assert interval.median == interval.low == interval.high == 2
    assert median_interval(drift).half_width > 0.1


def test_rounds_beyond_the_shorter_one_are_left_out():
    assert ratio_interval([2, 2, 2, 99, 99], [1, 1, 1]).median == 2


def points_of(exponent, noise, random, sizes=(100, 200, 400, 800)):
    return [
        Point(float(s), s, {"run": 1e-3 * s**exponent * np.exp(noise * random.normal())})
        for s in sizes
        for _ in range(2)
    ]


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_a_power_law_is_found(exponent):
    fitted = extrapolate(points_of(exponent, 0.01, np.random.default_rng(1)), 10_000.0, ("records",))
    assert fitted.exponent == pytest.approx(exponent, abs=0.05)
    assert fitted.low < 1e-3 * 10_000**exponent < fitted.high


def test_prediction_intervals_cover():
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        fitted = extrapolate(points_of(1.3, 0.1, random), 10_000.0, ("records",))
        covered += fitted.low <= 1e-3 * 10_000**1.3 * np.exp(0.1 * random.normal()) <= fitted.high
    assert 0.91 <= covered / 300 <= 0.99


def test_too_few_sizes_or_too_short_runs_give_no_estimate():
    random = np.random.default_rng(0)
    assert extrapolate(points_of(1, 0, random, sizes=(100, 200)), 1e4, ("records",)) is None
    assert extrapolate([Point(s, int(s), {"run": 1e-4}) for s in (1.0, 2.0, 3.0)], 1e4, ("records",)) is None
    assert extrapolate([], 1e4, ("records",)) is None


def test_what_does_not_grow_at_small_sizes_does_not_hide_a_steep_curve():
    """As k-NN over ratings: some milliseconds of overhead, and a square beneath them."""
    points = [Point(float(s), s, {"run": 2e-3 + 1e-10 * s**2}) for s in [61 << k for k in range(11)] for _ in range(2)]
    whole = 1e-10 * 1e6**2
    fitted = extrapolate(points, 1e6, ("records",))
    assert fitted.seconds > whole / 4
    assert len(fitted.points) == len(points)


def test_phases_that_grow_with_different_powers_are_added_up():
    """A quadratic phase that is small at the sizes measured rules at the size predicted; one law for the sum misses."""
    random = np.random.default_rng(5)

    def phases(size):
        noise = np.exp(0.02 * random.normal(size=3))
        return {"read": 1e-7 * size, "matrix": 2e-6 * size**2 * noise[0], "shap": 5e-3 * size * noise[1]}

    points = [Point(float(s), s, phases(s)) for s in (100, 200, 400, 800) for _ in range(2)]
    whole = sum({"read": 1e-7 * 5e4, "matrix": 2e-6 * 5e4**2, "shap": 5e-3 * 5e4}.values())
    fitted = extrapolate(points, 5e4, ("records",))
    assert fitted.low < whole < fitted.high
    assert fitted.seconds == pytest.approx(whole, rel=0.2)
    assert 1.9 < fitted.exponent <= 2.1
    summed = extrapolate([Point(p.size, p.records, {"run": p.seconds}) for p in points], 5e4, ("records",))
    assert summed.seconds < whole / 2
