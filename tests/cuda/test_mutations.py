"""Kernels with a planted mistake: each must give a wrong answer, or be stopped, where the true ones pass."""

import shutil
from dataclasses import dataclass

import pytest
from technobench.gpu_pipeline import cuda_source

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


CODES, FOREST, TABLES = "threshold_codes.cuh", "forest.cu", "shap_tables.cu"
BARRIER = "__syncthreads();"
MUTATIONS = [
    Mutation("no barrier before values overwrite missing", CODES, BARRIER, "", "scores"),
    Mutation("no barrier before codes are read", CODES, f"    {BARRIER}\n}}", "}", "scores"),
    Mutation("equal to a threshold goes left", CODES, "<= value", "< value", "scores"),
    Mutation(
        "a search that leaves out the last threshold", CODES, "while (low < last)", "while (low + 1 < last)", "scores"
    ),
    Mutation("negative numbers in reverse", CODES, "(int)(0x80000000u - (unsigned)bits)", "bits", "scores"),
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
]


def check_scores(cupy):
    """Two tiles of rows, several outputs, categories, missing values, both default directions."""
    assert_scores(cupy, *kind_of_model("categories and classes", 41))
    assert_scores(cupy, random_forest(9, 0.6, 1, rounds=9), random_rows(41, 9, 0.6, 2))


def check_explanations(cupy):
    """Two tiles of rows and of features, tables of more entries than a block holds at a time."""
    assert_explanations(cupy, random_forest(40, 0.6, 1, rounds=6, max_depth=6), random_rows(37, 40, 0.6, 2))


CHECKS = {"scores": check_scores, "explanations": check_explanations}


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
