"""The least times on paper in docs/gpu-kernels.md: what its own bytes, operations and data sheets come to."""

import re
from pathlib import Path

import pytest

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


def test_those_of_als_do_of_each_side():
    rows = re.findall(rf"^\| (`\w+`(?:, \d+ steps)?), (\w+) \|{5 * NUMBER}$", ROOFLINE, re.MULTILINE)
    kernels = "`improve_rows`, 3 steps", "`improve_rows`, 10 steps", "`solve_rows`"
    assert [row[:2] for row in rows] == [(kernel, side) for side in ("users", "items") for kernel in kernels]
    for _, side, moved, done, *told in rows:
        assert_times({"users": 41_776, "items": 6_450}[side], moved, done, told)


@pytest.mark.parametrize(("side", "entries"), [("users", 641_316 / 41_776), ("items", 641_316 / 6_450)])
def test_operations_of_als_are_at_least_those_of_the_textbook(side, entries):
    """Products with the entries' vectors; a triangle of n f^2 / 2 products and sums, f^3 / 3 to factorise it."""
    told = dict(re.findall(rf"^\| (.+), {side} \| [\d,]+ \|{NUMBER}", ROOFLINE, re.MULTILINE))
    done = {kernel: int(number.replace(",", "")) for kernel, number in told.items()}
    for steps in (3, 10):
        least = (4 * (steps + 1) - 2) * entries * 64
        assert least < done[f"`improve_rows`, {steps} steps"] < least + 30 * 64 * (steps + 1)
    least = entries * 64**2 + 64**3 / 3 + 2 * 64**2 + 2 * 4 * entries * 64
    assert least < done["`solve_rows`"] < 1.05 * least


def test_they_are_marked_as_computed():
    assert "**Computed, never measured.**" in PAGE.partition("<!-- roofline:")[0]
