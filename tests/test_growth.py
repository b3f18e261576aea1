"""Time against size: intervals hold what they claim, known laws are found, and what is not known is not claimed."""

import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.bench.plan.growth import LEAST_RANGE, REACH, Growth, growth, law
from technobench.bench.plan.models import NotFitted

from .plan_curves import curve, noisy, point, timed_curve

SIZES = (1e3, 4e3, 16e3, 64e3)
CLAIMED, CHANCE = 0.95, 0.05
"""Of sixty runs, at the most noise; where runs differ by 3 % and less, the intervals hold more than claimed."""


def fitted(sizes, seconds):
    found = growth(timed_curve(sizes, seconds))
    assert isinstance(found, Growth)
    return found


LAWS = {
    "linear": lambda n: 2e-5 * n,
    "fixed and linear": lambda n: 0.1 + 2e-5 * n,
    "fixed and a root": lambda n: 0.5 + 1e-2 * n**0.5,
    "more than linear": lambda n: 1e-6 * n**1.3,
    "n log n": lambda n: 1e-6 * n * np.log(n),
    "constant": lambda n: 0.7 + 0 * n,
}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize(("noise", "sizes"), [(0.01, SIZES), (0.03, SIZES[:3]), (0.1, SIZES)])
def test_prediction_intervals_cover_a_new_run(name, noise, sizes):
    random = np.random.default_rng(11)
    covered = []
    for _ in range(60):
        ahead = law(sizes, noisy(LAWS[name](np.array(sizes)), noise, random)).at(3 * sizes[-1])
        covered.append(ahead.low <= LAWS[name](3 * sizes[-1]) * np.exp(noise * random.normal()) <= ahead.high)
    assert np.mean(covered) >= CLAIMED - (CHANCE if noise == 0.1 else 0)


def test_intervals_are_narrow_where_much_is_known():
    """Six sizes with runs that differ by 1 %: at three times the largest, within 10 % either way."""
    sizes = np.geomspace(1e3, 64e3, 6)
    ahead = fitted(sizes, noisy(2e-5 * sizes, 0.01, np.random.default_rng(0))).at(3 * sizes[-1])
    assert 1 < ahead.high / ahead.low < 1.2


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_exponents_are_recovered(exponent):
    random = np.random.default_rng(5)
    found = [fitted(SIZES, noisy(1e-6 * np.array(SIZES) ** exponent, 0.03, random)).exponent for _ in range(40)]
    assert np.mean([each.low <= exponent <= each.high for each in found]) >= CLAIMED - 0.05
    assert statistics.median(each.value for each in found) == pytest.approx(exponent, abs=0.04)


def test_points_that_lie_on_a_line_by_chance_do_not_make_certainty():
    found = fitted(SIZES[:3], [0.01, 0.04, 0.16])
    at_largest = found.at(SIZES[2])
    assert at_largest.value == pytest.approx(0.16, rel=0.02)
    assert at_largest.high / at_largest.low > 1.1
    assert found.exponent.low < 1 < found.exponent.high


def test_phases_are_fitted_apart_and_added_up():
    """A quadratic phase that is small at the sizes measured rules at the size predicted, and the other is constant."""

    def phases(n):
        return {"read": 0.2, "shap": 1e-5 * n, "matrix": 2e-11 * n**2}

    def whole(n):
        return sum(phases(n).values())

    sizes = np.geomspace(1e3, 64e3, 5)
    found = growth(curve([point(n, [whole(n)], phases=phases(n)) for n in sizes]))
    assert isinstance(found, Growth)
    assert found.at(3 * 64e3).value == pytest.approx(whole(3 * 64e3), rel=0.08)
    assert found.at(3 * 64e3).low < whole(3 * 64e3) < found.at(3 * 64e3).high
    assert found.laws["read"].slope.mean() < 0.1
    true = (1e-5 * 64e3 + 2 * 2e-11 * 64e3**2) / whole(64e3)
    assert found.exponent.low < true < found.exponent.high


def test_phases_cover_also_where_what_disturbs_a_run_disturbs_all_of_them():
    random = np.random.default_rng(2)
    covered = []
    for _ in range(40):
        shared = np.exp(0.05 * random.normal(size=5))
        points = [
            point(n, [(0.1 + 3e-5 * n) * each], phases={"read": (0.1 + 1e-5 * n) * each, "shap": 2e-5 * n * each})
            for n, each in zip(SIZES, shared, strict=False)
        ]
        ahead = growth(curve(points)).at(2 * SIZES[-1])
        covered.append(ahead.low <= (0.1 + 6e-5 * SIZES[-1]) * shared[4] <= ahead.high)
    assert np.mean(covered) >= CLAIMED - 0.05


def test_phases_are_made_to_add_up_to_the_run():
    points = [point(n, [2e-5 * n], phases={"a": 0.5e-5 * n, "b": 0.5e-5 * n}) for n in SIZES]
    found = growth(curve(points))
    assert isinstance(found, Growth)
    assert found.at(64e3).value == pytest.approx(2e-5 * 64e3, rel=0.02)
    assert found.laws["a"].at(64e3).value == pytest.approx(1e-5 * 64e3, rel=0.02)


def test_phases_that_some_points_lack_are_not_fitted():
    points = [point(n, [1e-5 * n], phases={"a": 1.0} if n > 2e3 else {}) for n in SIZES]
    assert set(growth(curve(points)).laws) == {"run"}
    points = [point(n, [1e-5 * n], phases={"a": 1e-5 * n, "b": 0.0}) for n in SIZES]
    assert growth(curve(points)).at(64e3).value == pytest.approx(0.64, rel=0.02)


def test_set_up_and_fetch_are_apart():
    points = [point(n, [1e-5 * n], setup_seconds=0.4, fetch_seconds=1e-6 * n) for n in SIZES]
    found = growth(curve(points))
    assert found.setup.at(128e3).value == pytest.approx(0.4, rel=0.1)
    assert found.fetch.at(128e3).value == pytest.approx(0.128, rel=0.1)
    assert found.at(128e3).value == pytest.approx(1.28, rel=0.05)
    assert isinstance(growth(timed_curve(SIZES, [1, 2, 4, 8])).setup, NotFitted)


def test_the_rate_has_the_bounds_of_the_time():
    found = fitted(SIZES, [0.01, 0.04, 0.16, 0.64])
    seconds, rate = found.at(1e5), found.rate(1e5)
    assert (rate.value, rate.low, rate.high) == (1e5 / seconds.value, 1e5 / seconds.high, 1e5 / seconds.low)
    assert found.rate(1e9).caution == found.at(1e9).caution is not None


def test_each_point_is_predicted_without_it():
    seconds = [0.01, 0.04, 0.16, 1.6]
    found = fitted(SIZES, seconds)
    assert [each.at for each in found.held_out] == sorted(SIZES, reverse=True)
    largest = found.held_out[0]
    assert largest.measured == 1.6
    assert largest.predicted.value == pytest.approx(0.64, rel=0.1)
    assert not largest.predicted.low < 1.6 < largest.predicted.high
    assert fitted(SIZES[:3], [0.01, 0.04, 0.16]).held_out == ()


@given(st.floats(1, 1e12), st.floats(1e-9, 1e9), st.floats(0, 2), st.floats(1e-3, 1e3))
@settings(max_examples=30, deadline=None)
def test_no_prediction_outside_of_the_support_is_without_caution(smallest, second, exponent, factor):
    sizes = smallest * np.array([1, 3, 9])
    found = growth(timed_curve(sizes, second * np.array([1, 3, 9]) ** exponent))
    prediction = found.at(factor * smallest)
    assert 0 < prediction.low <= prediction.value <= prediction.high < np.inf
    assert (prediction.caution is None) == (factor >= 1 and factor * smallest <= REACH * sizes[-1])
    below, above = found.at(sizes[-1]), found.at(2 * sizes[-1])
    assert below.value <= above.value * 1.0001


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([], "measured at nothing"),
        ([point(1e3)], "measured at 1,000 rows"),
        ([point(1e3), point(9e3)], "it takes 3 values"),
        ([point(1e3), point(2e3), point(3e3)], f"{LEAST_RANGE:g} times the smallest"),
        ([point(1e3), point(4e3, [0.0]), point(9e3)], "measured at 1,000, 9,000 rows"),
        ([point(1e3), point(4e3, []), point(9e3)], "measured at 1,000, 9,000 rows"),
        ([point(1e3), point(4e3, [float("nan")]), point(9e3)], "measured at 1,000, 9,000 rows"),
        ([point(0), point(4e3), point(9e3)], "measured at 4,000, 9,000 rows"),
        ([point(1e3, [8.0]), point(4e3, [2.0]), point(9e3, [0.5])], "they fall"),
    ],
)
def test_what_cannot_be_fitted_says_what_is_lacking(points, said):
    found = growth(curve(points))
    assert isinstance(found, NotFitted)
    assert said in found.reason


@pytest.mark.parametrize("size", [0, -1, float("inf"), float("nan")])
def test_sizes_that_are_none_are_refused(size):
    with pytest.raises(ValueError, match="above 0"):
        fitted(SIZES, [1, 2, 4, 8]).at(size)


def test_the_same_points_give_the_same_answer():
    one, other = (fitted(SIZES, [0.011, 0.04, 0.15, 0.66]) for _ in range(2))
    assert one.at(1e5) == other.at(1e5)
    assert one.exponent == other.exponent
