"""The largest values of each row on the device, emulated: against a full sort, every access watched."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from technobench.gpu_pipeline.device_largest import DeviceLargest
from technobench.pipeline.errors import UnsupportedModelError

from .factor_checks import assert_largest
from .standin import StandIn


@pytest.mark.parametrize(
    ("rows", "columns", "k"), [(0, 5, 2), (1, 1, 1), (4, 7, 7), (3, 255, 10), (2, 600, 1), (2, 513, 300)]
)
def test_they_are_those_of_a_full_sort_in_order_and_the_first_of_equal_ones(cupy, checked_cupy, rows, columns, k):
    for device in (cupy, checked_cupy):
        assert_largest(device, rows, columns, k)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 6), columns=st.integers(1, 900), share=st.floats(0, 1))
def test_any_rows_in_any_order_of_threads(compiler, seed, rows, columns, share):
    assert_largest(StandIn(seed=seed), rows, columns, max(1, int(share * min(columns, 40))), seed)


def test_more_equal_ones_than_a_buffer_holds(checked_cupy):
    assert_largest(checked_cupy, 2, 2600, 12)


def test_the_smallest_numbers_and_infinite_ones(cupy):
    """Comparisons of floats would take the smallest for 0."""
    values = np.array([[1e-45, -6e-45, 0.0, -0.0, 4e-45], [np.inf, -1.0, -np.inf, 3e38, 1e-40]], np.float32)
    found = DeviceLargest(cupy, 4).of(cupy.asarray(values))
    np.testing.assert_array_equal(found.items.get(), [[1, 4, 0, 2], [0, 2, 3, 1]])
    np.testing.assert_array_equal(found.scores.get(), np.take_along_axis(values, found.items.get(), axis=1))


def test_more_places_than_a_block_holds_are_refused(cupy):
    with pytest.raises(UnsupportedModelError, match=r"k=1025: .*at most 1024 places"):
        DeviceLargest(cupy, 1025)
