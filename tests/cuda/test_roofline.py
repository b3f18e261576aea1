"""The least times on paper in docs/gpu-kernels.md: what its own bytes, operations and data sheets come to."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "gpu-kernels.md").read_text(encoding="utf-8")
ROOFLINE = PAGE.partition("<!-- roofline:")[2]
CARDS = ((600e9, 31.2e12), (2039e9, 19.5e12), (3350e9, 66.9e12))


def test_the_times_follow_from_bytes_and_operations():
    number = r" ([\d.,]+) \|"
    rows = re.findall(rf"^\| `(\w+)` \|{5 * number}$", ROOFLINE, re.MULTILINE)
    scored, listed = {"score_rows", "find_patterns", "add_columns", "write_rows"}, {"hide_items", "select_best"}
    assert {row[0] for row in rows} == scored | listed | {"select_largest"}
    for _, moved, done, *told in rows:
        size, operations = (41_776 * int(number.replace(",", "")) for number in (moved, done))
        for (bandwidth, arithmetic), milliseconds in zip(CARDS, told, strict=True):
            least = 1e3 * max(size / bandwidth, operations / arithmetic)
            assert float(milliseconds) == pytest.approx(least, rel=2e-3, abs=6e-4)


def test_they_are_marked_as_computed():
    assert "**Computed, never measured.**" in PAGE.partition("<!-- roofline:")[0]
