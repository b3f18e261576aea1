"""The least times on paper in docs/gpu-kernels.md: what its own bytes, operations and data sheets come to."""

import re
from pathlib import Path

import pytest
from technobench.gpu_pipeline.als_parts import LONG_ROW, SLICE_ENTRIES
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.workload import Workload

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "gpu-kernels.md").read_text(encoding="utf-8")
ROOFLINE = PAGE.partition("<!-- roofline:")[2]
CARDS = ((600e9, 31.2e12), (2039e9, 19.5e12), (3350e9, 66.9e12))


NUMBER = r" ([\d.,]+) \|"


def assert_times(rows, moved, done, told):
    """The times told are those of so many bytes and operations a row."""
    size, operations = (rows * int(number.replace(",", "")) for number in (moved, done))
    for (bandwidth, arithmetic), milliseconds in zip(CARDS, told, strict=True):
        least = 1e3 * max(size / bandwidth, operations / arithmetic)
        assert float(milliseconds) == pytest.approx(least, rel=2e-3, abs=6e-4)


def test_the_times_follow_from_bytes_and_operations():
    rows = re.findall(rf"^\| `(\w+)` \|{5 * NUMBER}$", ROOFLINE, re.MULTILINE)
    scored, listed = {"score_rows", "find_patterns", "add_columns", "write_rows"}, {"hide_items", "select_best"}
    by_paths = {"write_codes", "add_paths"}
    assert {row[0] for row in rows} == scored | by_paths | listed | {"select_largest"}
    for _, moved, done, *told in rows:
        assert_times(41_776, moved, done, told)


@pytest.fixture(scope="module")
def lengths():
    """Entries of each user and of each item."""
    matrix = Workload(catalogue.get("seed", 1.0), {}).interactions().matrix
    return {"users": matrix.getnnz(axis=1), "items": matrix.getnnz(axis=0)}


def als_rows(kernels):
    """Kernel, side, and figures of the lines of ALS."""
    return re.findall(rf"^\| `({kernels})`(, \d+ steps)?, (\w+) \|{5 * NUMBER}$", ROOFLINE, re.MULTILINE)


def test_those_of_als_do_of_each_side(lengths):
    rows = als_rows("improve_rows|solve_rows")
    kernels = ("improve_rows", ", 3 steps"), ("improve_rows", ", 10 steps"), ("solve_rows", "")
    assert [row[:3] for row in rows] == [(*kernel, side) for side in ("users", "items") for kernel in kernels]
    for _, _, side, moved, done, *told in rows:
        assert_times(int((lengths[side] <= LONG_ROW).sum()), moved, done, told)


def test_those_of_shared_rows_do(lengths):
    """Of the items alone: no user has so many."""
    assert lengths["users"].max() <= LONG_ROW
    long = lengths["items"][lengths["items"] > LONG_ROW]
    slices = sum(-(-int(length) // SLICE_ENTRIES) for length in long)
    rows = als_rows("sum_slices|improve_shared_rows|solve_shared_rows")
    assert [row[0] for row in rows] == ["sum_slices", *2 * ["improve_shared_rows"], "solve_shared_rows"]
    for kernel, _, side, moved, done, *told in rows:
        assert side == "items"
        assert_times(slices if kernel == "sum_slices" else len(long), moved, done, told)
    # A triangle of products and sums, and at least a product with a vector and a sum by coordinates.
    per_entry = int(rows[0][4].replace(",", "")) * slices / long.sum()
    assert 64 * 65 + 4 * 64 <= round(per_entry) < 1.05 * (64 * 65 + 4 * 64)


@pytest.mark.parametrize("side", ["users", "items"])
def test_operations_of_als_are_at_least_those_of_the_textbook(lengths, side):
    """Products with the entries' vectors; a triangle of n f^2 / 2 products and sums, f^3 / 3 to factorise it."""
    entries = lengths[side][lengths[side] <= LONG_ROW].mean()
    done = {
        (kernel, steps): int(number.replace(",", ""))
        for kernel, steps, own, _, number, *_ in als_rows("improve_rows|solve_rows")
        if own == side
    }
    for steps in (3, 10):
        least = (4 * (steps + 1) - 2) * entries * 64
        assert least < done["improve_rows", f", {steps} steps"] < least + 30 * 64 * (steps + 1)
    least = entries * 64**2 + 64**3 / 3 + 2 * 64**2 + 2 * 4 * entries * 64
    assert least < done["solve_rows", ""] < 1.05 * least


def test_they_are_marked_as_computed():
    assert "**Computed, never measured.**" in PAGE.partition("<!-- roofline:")[0]
