"""Memory against size: intervals hold what they claim, and the largest size that fits does fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.bench.plan.growth import REACH
from technobench.bench.plan.memory_growth import MemoryGrowth, memory_growth
from technobench.bench.plan.models import NotFitted

from .plan_curves import curve, noisy, point

SIZES = (1e4, 4e4, 16e4, 64e4)
CLAIMED, CHANCE = 0.95, 0.05
"""Of a hundred runs, at the most noise; where runs differ by 3 % and less, the intervals hold more."""


def fitted(peaks, sizes=SIZES, of="peak_bytes", **fields):
    points = [point(at, **{of: int(peak)}, **fields) for at, peak in zip(sizes, peaks, strict=True)]
    found = memory_growth(curve(points), of)
    assert isinstance(found, MemoryGrowth)
    return found


@pytest.mark.parametrize(("fixed", "per_row"), [(200e6, 1000.0), (200e6, 50.0), (0, 1000.0), (200e6, 0.0)])
@pytest.mark.parametrize("noise", [0.01, 0.03, 0.1])
def test_prediction_intervals_cover_a_new_run(fixed, per_row, noise):
    random = np.random.default_rng(4)
    covered = []
    for _ in range(100):
        ahead = fitted(noisy(fixed + per_row * np.array(SIZES), noise, random)).at(3 * SIZES[-1])
        true = (fixed + per_row * 3 * SIZES[-1]) * np.exp(noise * random.normal())
        covered.append(ahead.low <= true <= ahead.high)
    assert np.mean(covered) >= CLAIMED - (CHANCE if noise == 0.1 else 0.03)


@pytest.mark.parametrize("power", [0.3, 0.5, 0.8])
def test_memory_that_grows_less_and_less_is_covered(power):
    """As of a run that works batch by batch; taken to grow with the rows, it would be predicted far too high."""
    random, covered, sizes = np.random.default_rng(5), [], np.array(SIZES)
    for _ in range(40):
        ahead = fitted(noisy(300e6 + 500e6 * (sizes / SIZES[-1]) ** power, 0.03, random)).at(3 * SIZES[-1])
        true = (300e6 + 500e6 * 3**power) * np.exp(0.03 * random.normal())
        covered.append(ahead.low <= true <= ahead.high)
    assert np.mean(covered) >= CLAIMED - 0.03


def test_fixed_and_per_row_are_told_apart():
    found = fitted(200e6 + 1000 * np.array(SIZES))
    assert found.fixed.low < 200e6 < found.fixed.high
    assert found.fixed.value == pytest.approx(200e6, rel=0.1)
    assert found.per_row.low < 1000 < found.per_row.high
    assert found.per_row.value == pytest.approx(1000, rel=0.1)
    assert found.exponent.low < 640 / 840 < found.exponent.high
    assert found.held_out[0].measured == 840e6


def test_the_device_is_apart_from_the_host():
    points = [point(at, peak_bytes=int(1e9), gpu_peak_bytes=int(1e6 + 2e3 * at)) for at in SIZES]
    device, host = memory_growth(curve(points), "gpu_peak_bytes"), memory_growth(curve(points))
    assert device.at(128e4).value == pytest.approx(2.56e9, rel=0.05)
    assert host.at(128e4).value == pytest.approx(1e9, rel=0.05)
    assert isinstance(memory_growth(curve([point(at, peak_bytes=9) for at in SIZES]), "gpu_peak_bytes"), NotFitted)


@given(st.floats(0, 1e10), st.floats(1e-2, 1e5), st.floats(1e3, 1e13))
@settings(max_examples=15, deadline=None)
def test_what_fits_fits_and_more_does_not(fixed, per_row, available):
    found = fitted(1 + fixed + per_row * np.array(SIZES))
    fits = found.largest_that_fits(available)
    assert fits.low <= fits.value <= fits.high
    for size, bound in ((fits.value, "value"), (fits.low, "high"), (fits.high, "low")):
        if 0 < size < np.inf:
            assert getattr(found.at(size), bound) == pytest.approx(available, rel=0.01)
    assert fits.caution is not None or fits.value == 0 or SIZES[0] <= fits.value <= REACH * SIZES[-1]


def test_nothing_fits_into_less_than_the_fixed_part_and_anything_into_what_does_not_grow():
    assert fitted(1e9 + 10 * np.array(SIZES)).largest_that_fits(1e8).value == 0
    assert fitted(np.full(4, 1e9)).largest_that_fits(1e10).value > 100 * SIZES[-1]


def test_denser_data_widens_the_interval_and_says_so():
    sizes = [{"records": int(at), "nonzeros": int(20 * at)} for at in SIZES]
    points = [point(each["records"], peak_bytes=int(1e8 + 1e3 * each["records"]), sizes=each) for each in sizes]
    found = memory_growth(curve(points))
    assert found.density == pytest.approx(20)
    plain, same, denser = found.at(64e4), found.at(64e4, 20 * 64e4), found.at(64e4, 60 * 64e4)
    assert same == plain
    assert denser.low == plain.low
    assert plain.value < denser.value and denser.low < 1e8 + 3 * 64e7 < denser.high
    assert denser.value < denser.high
    assert denser.caution is not None
    assert "60 non-zeros a row, measured with 20" in denser.caution
    assert fitted(1e9 + 10 * np.array(SIZES)).at(1e5, 1e9).caution is None


@pytest.mark.parametrize(
    "points",
    [
        [],
        [point(1e4, peak_bytes=5)],
        [point(at, peak_bytes=5) for at in (1e4, 2e4, 3e4)],
        [point(1e4, peak_bytes=5), point(4e4, peak_bytes=None), point(9e4, peak_bytes=0)],
    ],
)
def test_what_cannot_be_fitted_says_so(points):
    found = memory_growth(curve(points))
    assert isinstance(found, NotFitted)
    assert "measured at" in found.reason
