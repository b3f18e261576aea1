"""Kernels with a planted mistake: each must give a wrong answer, or be stopped, where the true ones pass."""

import shutil
from dataclasses import dataclass

import numpy as np
import pytest
from technobench.gpu_pipeline import cuda_source

from .factor_checks import assert_largest, assert_lists, assert_rows, near_ties, strengths_of
from .kernel_checks import assert_explanations, assert_scores, kind_of_model, random_forest, random_rows
from .standin import StandIn


@dataclass(frozen=True)
class Mutation:
    """A textual change of a source, at the first place where ``was`` stands; ``check`` is of what it breaks."""

    name: str
    source: str
    was: str
    becomes: str
    check: str


ORDERED, CODES, FOREST, TABLES = "ordered.cuh", "threshold_codes.cuh", "forest.cu", "shap_tables.cu"
ENTRIES, ROWS, CHOLESKY, TOP = "als_entries.cuh", "als_rows.cu", "als_cholesky.cu", "top_k.cu"
BARRIER = "__syncthreads();"
MUTATIONS = [
    Mutation("no barrier before values overwrite missing", CODES, BARRIER, "", "scores"),
    Mutation("no barrier before codes are read", CODES, f"    {BARRIER}\n}}", "}", "scores"),
    Mutation("equal to a threshold goes left", CODES, "<= value", "< value", "scores"),
    Mutation(
        "a search that leaves out the last threshold", CODES, "while (low < last)", "while (low + 1 < last)", "scores"
    ),
    Mutation("negative numbers in reverse", ORDERED, "(int)(0x80000000u - (unsigned)bits)", "bits", "scores"),
    Mutation("NaN is a value", CODES, "if (isnan(value)) continue;", "", "scores"),
    Mutation("the other default direction", CODES, "= missing[word]", "= ~missing[word]", "scores"),
    Mutation("no parity of categories", CODES, "count & kept_bits[column]", "count", "scores"),
    Mutation("no guard of the last tile", CODES, "if (first + row < n)", "if (true)", "scores"),
    Mutation("rows and lanes swapped", CODES, "row = threadIdx.x / lanes", "row = threadIdx.x % lanes", "scores"),
    Mutation("the right child is the left one", FOREST, ">= (split.x", "> (split.x", "scores"),
    Mutation("no barrier before sums are added", FOREST, BARRIER, "", "scores"),
    Mutation("no barrier before sums are used again", FOREST, f"{BARRIER}\n    }}\n", "}\n", "scores"),
    Mutation("a margin beyond the last row", FOREST, "share == 0 && first + row < n", "share == 0", "scores"),
    Mutation("strides of rows and outputs swapped", FOREST, "* outputs + output", "+ output * n", "scores"),
    Mutation("the first share left out", FOREST, "int other = 0;", "int other = 1;", "scores"),
    Mutation("every thread writes the margin", FOREST, "share == 0 &&", "", "scores"),
    Mutation("patterns beyond the last row", TABLES, "if (first + row >= n) return;", "", "explanations"),
    Mutation(
        "strides of patterns swapped",
        TABLES,
        "group * n + first + row",
        "(first + row) * groups + group",
        "explanations",
    ),
    Mutation("bits in the other order", TABLES, "question - start)", "end - 1 - question)", "explanations"),
    Mutation("no barrier before look-ups", TABLES, BARRIER, "", "explanations"),
    Mutation(
        "no barrier before the next tables",
        TABLES,
        f"next += entries;\n        {BARRIER}",
        "next += entries;",
        "explanations",
    ),
    Mutation(
        "a table too many in shared memory", TABLES, "<= TABLE_ENTRIES", "<= TABLE_ENTRIES + 4096", "explanations"
    ),
    Mutation("tables at half their distance", TABLES, "looked_up += 1 <<", "looked_up += 1 << 0 *", "explanations"),
    Mutation("the tile not turned", TABLES, "= turned[across][k]", "= turned[k][across]", "explanations"),
    Mutation(
        "no barrier before the tile is turned",
        TABLES,
        f"    {BARRIER}\n    int feature",
        "    int feature",
        "explanations",
    ),
    Mutation(
        "a segment left out",
        TABLES,
        "segment = feature_offsets[feature];",
        "segment = feature_offsets[feature] + 1;",
        "explanations",
    ),
    Mutation("no barrier before the next tile", ENTRIES, f"{BARRIER}\n        if (!loaded)", "if (!loaded)", "rows"),
    Mutation(
        "no barrier before a tile is read",
        ENTRIES,
        f"load(row, first, count);\n            {BARRIER}",
        "load(row, first, count);",
        "rows",
    ),
    Mutation(
        "no barrier before weights are read",
        ENTRIES,
        f"wanted, first, count);\n        {BARRIER}",
        "wanted, first, count);",
        "rows",
    ),
    Mutation("no barrier before totals are added", ENTRIES, f"= total;\n    {BARRIER}", "= total;", "rows"),
    Mutation(
        "no barrier before the first lengths",
        ROWS,
        f"    }}\n    {BARRIER}\n    Sizes sizes",
        "    }\n    Sizes sizes",
        "rows",
    ),
    Mutation(
        "vectors at another distance than they are read",
        ENTRIES,
        "tile[entry * row.stride + k] = vector",
        "tile[entry * row.width + k] = vector",
        "rows",
    ),
    Mutation("the row's own lambda left out", ENTRIES, "1.0f + excess * inverse[k]", "1.0f", "rows"),
    Mutation("a row without entries left as it was", ROWS, "own[k] = 0;", ";", "rows"),
    Mutation("steepest descent", ROWS, "+ next.residual / sizes.residual * along[k]", "", "rows"),
    Mutation("the last tile taken for the row", ROWS, "row.count <= tile_entries, !last", "true, !last", "rows"),
    Mutation("no loss for steps", ROWS, "value -= length * sizes.residual;", "", "rows"),
    Mutation("c for c - 1", ENTRIES, "confidence - extra * dot", "confidence - (1.0f + extra) * dot", "rows"),
    Mutation("rows stopped early", ENTRIES, "EXACT = 1e-10f", "EXACT = 1e-2f", "rows"),
    Mutation(
        "no barrier before the next entries",
        CHOLESKY,
        f"{BARRIER}\n        if (!loaded) load",
        "if (!loaded) load",
        "equations",
    ),
    Mutation(
        "no barrier before a triangle is filled",
        CHOLESKY,
        f"{BARRIER}\n        for (int down = threadIdx.x",
        "for (int down = threadIdx.x",
        "equations",
    ),
    Mutation(
        "no barrier before a triangle is factorised",
        CHOLESKY,
        f"    {BARRIER}\n}}\n\n// The Cholesky factor of four",
        "}\n\n// The Cholesky factor of four",
        "equations",
    ),
    Mutation(
        "no barrier before four columns are taken out",
        CHOLESKY,
        f"{BARRIER}\n        if (threadIdx.x == 0) corner",
        "if (threadIdx.x == 0) corner",
        "equations",
    ),
    Mutation(
        "no barrier before the next corner",
        CHOLESKY,
        f"take_out(triangle, width, first);\n        {BARRIER}",
        "take_out(triangle, width, first);",
        "equations",
    ),
    Mutation(
        "no barrier on the way down",
        CHOLESKY,
        f"{BARRIER}\n        float own[SIDE];\n        for (int j = 0",
        "float own[SIDE];\n        for (int j = 0",
        "equations",
    ),
    Mutation(
        "no barrier on the way up",
        CHOLESKY,
        f"{BARRIER}\n        float own[SIDE];\n        for (int j = SIDE - 1",
        "float own[SIDE];\n        for (int j = SIDE - 1",
        "equations",
    ),
    Mutation("equations without M", CHOLESKY, "? metric[down + i] : 0.0f", "? 0.0f : 0.0f", "equations"),
    Mutation("equations of c", CHOLESKY, "= row.alpha * row.strengths", "= 1 + row.alpha * row.strengths", "equations"),
    Mutation(
        "the last tile taken for all",
        CHOLESKY,
        "row.count <= row.tile_entries, triangle",
        "true, triangle",
        "equations",
    ),
    Mutation(
        "a corner's column left out", CHOLESKY, "j < i; j++) factor[i][i]", "j < i - 1; j++) factor[i][i]", "equations"
    ),
    Mutation(
        "a square too few", CHOLESKY, "start + threadIdx.x / ACROSS", "start + SIDE + threadIdx.x / ACROSS", "equations"
    ),
    Mutation(
        "L for its transpose", CHOLESKY, "first + l)[first + j] * own", "first + j)[first + l] * own", "equations"
    ),
    Mutation("solved but once", CHOLESKY, "step == steps ||", "step == 1 ||", "equations"),
    Mutation("one triangle for all blocks", CHOLESKY, "(long long)blockIdx.x *", "0LL *", "equations"),
    Mutation(
        "no barrier before maxima are compared",
        TOP,
        f"if (threadIdx.x == 0) count = 0;\n    {BARRIER}",
        "if (threadIdx.x == 0) count = 0;",
        "lists",
    ),
    Mutation("the best strand for the k-th", TOP, "better == k - 1", "better == 0", "lists"),
    Mutation("no margin", TOP, "number_of(other) - margin", "number_of(other)", "lists"),
    Mutation("exact scores in float32", TOP, "double sum = 0;", "float sum = 0;", "lists"),
    Mutation(
        "ties to the higher number", TOP, "found.columns[other] < column", "found.columns[other] > column", "lists"
    ),
    Mutation("hidden items where nothing else is left", TOP, "HIDDEN + 1", "HIDDEN", "lists"),
    Mutation("an item barred for nobody", TOP, "at < barred_count", "at < barred_count - 1", "lists"),
    Mutation("a full buffer is not seen", TOP, "held > k + ROUND", "held > k + 9 * ROUND", "lists"),
    Mutation("a settled buffer is read again", TOP, "found.columns = settled;", "", "lists"),
    Mutation(
        "no barrier before the next candidates", TOP, f"held = count;\n        {BARRIER}", "held = count;", "lists"
    ),
    Mutation("an atomic made plain", TOP, "atomicAdd(&count, 1)", "count++", "lists"),
    Mutation("scores that are not told", TOP, "found.told[better] = by.told(column, score);", "", "lists"),
    Mutation("no score where a list has ended", TOP, "if (!filled) found.told", "if (false) found.told", "lists"),
    Mutation("rows of scores at another distance", TOP, "blockIdx.x * width};", "blockIdx.x * k};", "lists"),
    Mutation("rows of lists at another distance", TOP, "lists + (long long)blockIdx.x * width", "lists", "lists"),
    Mutation("values for their sizes", TOP, " & 0x7fffffff", "", "largest"),
    Mutation(
        "sizes for values",
        TOP,
        "double) const { return values[column]; }",
        "double size) const { return __int_as_float((int)size); }",
        "largest",
    ),
    Mutation("equal to the least left out", TOP, "by.place(column) >= least", "by.place(column) > least", "largest"),
    Mutation("rows of values at another distance", TOP, "values + (long long)blockIdx.x * m", "values", "largest"),
    Mutation("the last column left out", TOP, "min(first + ROUND, m)", "min(first + ROUND, m - 1)", "largest"),
    Mutation(
        "strands that begin late",
        TOP,
        "int column = strand; column < m",
        "int column = 2 * strand; column < m",
        "largest",
    ),
]


def check_scores(cupy):
    """Two tiles of rows, several outputs, categories, missing values, both default directions."""
    assert_scores(cupy, *kind_of_model("categories and classes", 41))
    assert_scores(cupy, random_forest(9, 0.6, 1, rounds=9), random_rows(41, 9, 0.6, 2))


def check_explanations(cupy):
    """Two tiles of rows and of features, tables of more entries than a block holds at a time."""
    assert_explanations(cupy, random_forest(40, 0.6, 1, rounds=6, max_depth=6), random_rows(37, 40, 0.6, 2))


def check_rows(cupy):
    """Empty rows, rows of one tile and of several, few steps and all of them."""
    for steps in (3, 1000):
        assert_rows(cupy, strengths_of(7, 130, 0.3), 65, steps)


def check_equations(cupy):
    """Rows of one tile and of several, confidences far apart, and a triangle that shared memory does not hold."""
    assert_rows(cupy, strengths_of(4, 400, 0.3), 18, blocks=1)
    assert_rows(cupy, strengths_of(2, 100, 0.3), 24, alpha=1e5, penalties=np.full(2, 0.5), blocks=1, error=1e-5)
    assert_rows(cupy, strengths_of(3, 20, 0.3), 132, blocks=2)


def check_lists(cupy):
    """Scores far apart, some that float32 does not tell apart, more equal ones than a buffer holds, lists that end."""
    generator = np.random.default_rng(5)
    assert_lists(cupy, *(generator.normal(size=(n, 9)).astype(np.float32) for n in (3, 700)), 10)
    assert_lists(cupy, *near_ties(3, 700), 10, barred=[3, 50])
    users, items = near_ties(2, 4)
    assert_lists(cupy, users, np.tile(items, (500, 1)), 7)
    assert_lists(cupy, users, items, 6, barred=[1])


def check_largest(cupy):
    """Fewer columns than strands and more, both signs, as many equal ones as a buffer does not hold."""
    for rows, columns, k in ((3, 40, 10), (2, 700, 7), (1, 1500, 3)):
        assert_largest(cupy, rows, columns, k)


CHECKS = {
    "scores": check_scores,
    "explanations": check_explanations,
    "rows": check_rows,
    "equations": check_equations,
    "lists": check_lists,
    "largest": check_largest,
}


@pytest.fixture
def load_from(monkeypatch):
    """Make the engines load their kernels from another folder."""

    return lambda folder: monkeypatch.setattr(cuda_source, "FOLDER", folder)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_true_kernels_pass(checked_cupy, check):
    check(checked_cupy)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.name)
def test_a_mutation_is_caught(compiler, tmp_path, load_from, mutation):
    folder = tmp_path / "kernels"
    shutil.copytree(cuda_source.FOLDER, folder)
    text = (folder / mutation.source).read_text(encoding="utf-8")
    assert mutation.was in text
    (folder / mutation.source).write_text(text.replace(mutation.was, mutation.becomes, 1), encoding="utf-8")
    load_from(folder)
    with pytest.raises(AssertionError) as caught:
        CHECKS[mutation.check](StandIn(checked=True))
    assert "does not compile" not in str(caught.value)
