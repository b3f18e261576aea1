"""Curves from rows: what is pooled, what is kept apart, and what does not count."""

import msgspec
import pytest
from technobench.bench.plan.curves import curves, rows_of
from technobench.pipeline.row import Monitored, Status

from .plan_curves import HOST, row


def test_sizes_of_several_runs_make_one_curve():
    rows = [row(records=4000, seconds=[4.0, 4.2]), row(records=1000), row(records=4000, seconds=[9.0], run_id="later")]
    (found,) = curves(rows)
    assert (found.axis, found.threads, found.parameters["trees"]) == ("rows", 2, 500)
    assert [point.at for point in found.points] == [1000, 4000]
    assert sorted(found.points[1].seconds) == [4.0, 4.2, 9.0]
    assert found.points[1].median_seconds == 4.2
    assert found.commands == ("technobench run",)


def test_there_is_a_curve_for_each_axis():
    """A cross of two sizes, three numbers of trees and two of threads: four curves, each with all else the same."""
    rows = [row(records=records) for records in (1000, 2000)]
    rows += [row(parameters={"trees": trees, "depth": 6, "seed": 0}) for trees in (100, 900)]
    rows += [row(threads=1)]
    found = {each.axis: each for each in curves(rows)}
    assert set(found) == {"rows", "trees", "threads"}
    assert [point.at for point in found["trees"].points] == [100, 500, 900]
    assert "trees" not in found["trees"].parameters
    assert [point.at for point in found["threads"].points] == [1, 2]
    assert found["threads"].threads is None
    assert len(curves(rows)) == 3


@pytest.mark.parametrize(
    "other",
    [
        {"variant": "xgboost"},
        {"stage": "shap"},
        {"device": "cuda"},
        {"dataset": "seed-dirty"},
        {"host": {**HOST, "system": "Linux 7"}},
        {"versions": {"python": "3.13.0", "numpy": "2.6"}},
        {"versions": {"python": "3.12.0", "numpy": "2.5"}},
        {"device_memory": 2**33},
        {"parameters": {"trees": 500, "depth": 6, "seed": 1}},
        {"parameters": {"trees": 500, "depth": 7, "seed": 0}},
        {"threads": 1},
        {"status": Status.MISMATCH},
        {"status": Status.FELL_BACK},
        {"interrupted": True},
        {"seconds": None},
    ],
)
def test_what_differs_otherwise_or_is_not_right_is_on_no_curve_with_it(other):
    assert curves([row(records=1000), row(records=4000)]) != []
    assert curves([row(records=1000), msgspec.structs.replace(row(records=4000), **other)]) == []


def test_patches_of_python_are_the_same():
    assert len(curves([row(), row(records=2000, versions={"python": "3.13.9", "numpy": "2.5"})])) == 1


def test_one_size_has_a_curve_of_rows_where_it_is_asked_for():
    rows = [row(), row(variant="xgboost")]
    assert curves(rows) == []
    assert [(each.axis, len(each.points)) for each in curves(rows, least_points=1)] == [("rows", 1)] * 2


def test_interactions_count_their_pairs():
    assert rows_of(row(sizes={"records": 10, "items": 5, "non-zeros": 30})) == 30
    assert rows_of(row(sizes={"records": 10, "columns": 5, "nonzeros": 30})) == 10
    assert curves([row(sizes={}), row(sizes={}, records=2000)]) == []


def test_of_several_runs_memory_is_the_most_and_phases_are_medians():
    watched = Monitored(9, 1, 1.0, 0, 0, 0.0, gpu_peak_bytes=77)
    rows = [
        row(
            peak_bytes=peak, phases={"read": read, "shap": 1.0}, device="cuda", monitored=watched if peak == 5 else None
        )
        for peak, read, seen in ((5, 0.3, watched), (9, 0.1, None), (7, 0.2, None))
    ]
    (point,) = curves(rows, least_points=1)[0].points
    assert (point.peak_bytes, point.gpu_peak_bytes, point.phases) == (9, 77, {"read": 0.2, "shap": 1.0})
    (other,) = curves([*rows, row(phases={"read": 0.1}, device="cuda")], least_points=1)[0].points
    assert other.phases == {}
