"""Change points: no more false ones than promised whatever the noise, planted steps where they are, exact for few."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from technobench.bench.change_points import ALPHA, LEAST_SEGMENT, change_points
from technobench.bench.rank_scan import EXACT, RankScan

NOISE = {
    "normal": lambda random, count: random.standard_normal(count),
    "heavy tails": lambda random, count: random.standard_t(1.5, count),
    "two modes": lambda random, count: random.choice([0.0, 8.0], count) + random.standard_normal(count),
    "skewed": lambda random, count: random.exponential(size=count) ** 3,
    "ties": lambda random, count: random.integers(0, 3, count).astype(float),
    "spikes": lambda random, count: (random.random(count) < 0.1) * 100.0,
}


@pytest.mark.parametrize("name", NOISE)
def test_false_alarms_are_at_most_as_many_as_promised(name):
    """300 series: more than 26 false alarms of 5 % have a probability below 0.3 % (binomial)."""
    random = np.random.default_rng(5)
    lengths = itertools.cycle([8, 15, 40])
    alarms = sum(bool(change_points(NOISE[name](random, next(lengths)))) for _ in range(300))
    assert alarms <= 26


def test_the_promise_is_for_all_series_together():
    """50 histories of 10 series each: more than 7 with an alarm have a probability below 0.5 %."""
    random = np.random.default_rng(6)
    histories = [[random.standard_t(2, 24) for _ in range(10)] for _ in range(50)]
    alarmed = sum(any(change_points(values, series=10) for values in history) for history in histories)
    assert alarmed <= 7


@pytest.mark.parametrize(("count", "place"), [(20, 10), (30, 26), (30, 4), (60, 40)])
def test_a_planted_step_is_found_within_one_commit(count, place):
    """12 % in noise of heavy tails whose middle half is 3 % wide."""
    random = np.random.default_rng(7)
    hits = sizes = 0
    for _ in range(40):
        values = 0.02 * random.standard_t(3, count)
        values[place:] += math.log(1.12)
        found = change_points(values)
        hits += len(found) == 1 and abs(found[0].index - place) <= 1
        sizes += bool(found) and abs(found[0].step - math.log(1.12)) < 0.04
    assert hits >= 28
    assert sizes >= 28


@pytest.mark.parametrize("levels", [np.repeat([0.0, 0.2, 0.5], 12), np.repeat([0.0, 0.2, 0.0], [15, 10, 15])])
def test_two_steps_are_found_where_they_are_also_where_no_single_cut_shows_them(levels):
    """A false one beside them, of 5 %, comes more than 5 times in 25 with a probability below 0.2 %."""
    random = np.random.default_rng(8)
    expected = (1 + np.flatnonzero(np.diff(levels))).tolist()
    hits = 0
    for _ in range(25):
        found = change_points(levels + 0.02 * random.standard_normal(len(levels)))
        assert set(expected) <= {each.index for each in found}
        hits += len(found) == 2
        steps = [each.step for each in found if each.index in expected]
        assert steps == pytest.approx(np.diff(levels)[np.array(expected) - 1].tolist(), abs=0.04)
    assert hits >= 20


def test_a_drift_is_told_as_steps_of_one_direction_that_add_up_to_it():
    random = np.random.default_rng(9)
    found = change_points(np.linspace(0, 0.6, 60) + 0.02 * random.standard_normal(60))
    assert found
    assert all(each.step > 0 for each in found)
    assert sum(each.step for each in found) == pytest.approx(0.6, rel=0.5)


@pytest.mark.parametrize("values", [[], [1.0], [0, 0, 9, 9], [5.0] * 50, [0.0, 1.0] * 20, [0.0] * 20 + [9.0] * 2])
def test_nothing_is_found_in_what_is_short_or_constant_or_an_outlier_or_two(values):
    assert change_points(values) == []


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-4, 4), max_size=24), st.integers(0, 12), st.sampled_from([0, 50]))
def test_what_is_found_is_in_order_and_apart_with_its_size_and_the_same_upside_down(values, place, step):
    series = [float(value + step * (index >= place)) for index, value in enumerate(values)]
    found = change_points(series)
    bounds = [0, *(each.index for each in found), len(series)]
    assert all(after - before >= LEAST_SEGMENT for before, after in itertools.pairwise(bounds)) or not found
    assert all(0 < each.probability <= ALPHA for each in found)
    levels = [np.median(series[first:stop]) for first, stop in itertools.pairwise(bounds)] if found else []
    assert [each.step for each in found] == pytest.approx(np.diff(levels).tolist())
    turned = change_points([-value for value in series])
    assert [(each.index, -each.step) for each in turned] == [(each.index, each.step) for each in found]


def _up_to_each_cut(count):
    places = np.arange(LEAST_SEGMENT, count - LEAST_SEGMENT + 1)
    return np.column_stack([0 * places, places])


@pytest.mark.parametrize("values", [[3, 1, 4, 9, 2, 6, 5], [1, 1, 2, 2, 2, 1, 3]])
def test_the_probability_is_that_of_all_orders(values):
    """Against every order of seven values, counted one by one."""
    cuts = _up_to_each_cut(len(values))
    highest = RankScan(values).surprises(cuts).max()
    of_all = [RankScan(order).surprises(cuts).max() >= highest for order in itertools.permutations(values)]
    told = RankScan(values).probability(cuts, highest, level=1e-4)
    assert told == pytest.approx(np.mean(of_all), rel=1.0)  # it stops at ten such orders: +-32 %, 3 sigma


@pytest.mark.parametrize("count", [12, 50])
def test_the_surprise_of_a_cut_is_that_of_wilcoxon_s_test(count):
    """SciPy's exact Mann-Whitney test, and its normal one where many ranks are summed up."""
    values = np.random.default_rng(10).standard_normal(count)
    cuts = _up_to_each_cut(count)
    for (_, place), surprise in zip(cuts, RankScan(values).surprises(cuts), strict=True):
        exact = min(place, count - place) <= EXACT
        method = {"method": "exact"} if exact else {"method": "asymptotic", "use_continuity": False}
        expected = mannwhitneyu(values[:place], values[place:], **method).pvalue
        assert math.exp(-surprise) == pytest.approx(expected, rel=1e-9)
