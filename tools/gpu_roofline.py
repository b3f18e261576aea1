"""The least time of each CUDA kernel by data-sheet bandwidth and arithmetic: computed on paper, never measured.

python tools/gpu_roofline.py [--write]

Bytes and operations per row are counted from the source of a kernel and the figures of a model: by default those of the
seed's shape, 41,776 x 6,894 and 500 trees of depth 6. Without --write the table is printed.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from gpu_kernels import PAGE, written
from technobench.gpu_pipeline.device_rows import BYTES_OF_A_ROW, BYTES_OF_AN_ENTRY
from technobench.gpu_pipeline.device_shap import ROWS_OF_A_BLOCK, FeatureColumns
from technobench.gpu_pipeline.device_top_k import Selection
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.scoring import ScoringProblem
from technobench.pipeline.shap_tables import ShapTables
from technobench.pipeline.threshold_codes import ThresholdCodes
from technobench.pipeline.walked_forest import LevelOrder, Walked
from technobench.pipeline.workload import Workload

BEGIN = "<!-- roofline: python tools/gpu_roofline.py --write -->\n"
END = "<!-- end of the roofline -->\n"


@dataclass(frozen=True)
class Card:
    """A device by its data sheet: bytes and float32 operations a second."""

    name: str
    bandwidth: float
    arithmetic: float


CARDS = (
    Card("A10", 600e9, 31.2e12),
    Card("A100 80 GB SXM", 2039e9, 19.5e12),
    Card("H100 SXM", 3350e9, 66.9e12),
)


@dataclass(frozen=True)
class Figures:
    """What the work of the kernels depends on.

    entries, comparisons, steps: per row on average: numbers stored; thresholds that these are compared with (binary
    search); splits on the paths down all trees. groups, questions, columns, segments, features: of the tables.
    model_bytes, table_bytes: of trees and codes, and of tables, which each block reads anew.
    """

    rows: int
    entries: float
    comparisons: float
    steps: float
    outputs: int
    groups: int
    questions: int
    columns: int
    segments: int
    features: int
    model_bytes: int
    table_bytes: int

    @classmethod
    def of(cls, problem: ScoringProblem) -> "Figures":
        """Of a model of one output."""
        forest, matrix = problem.forest(), problem.matrix
        codes = ThresholdCodes.of(forest)
        walked = Walked.of(forest, codes, LevelOrder.of(forest))
        tables = ShapTables.of(forest, codes)
        features = len(forest.used_features)
        columns = FeatureColumns.of(tables, features)
        searches = np.ceil(np.log2(1 + np.diff(codes.offsets)))
        of_feature = np.bincount(codes.feature, searches, minlength=forest.features)
        arrays = walked.trees, walked.nodes, walked.leaf_value, codes.columns_of, codes.offsets, codes.thresholds
        return cls(
            rows=matrix.shape[0],
            entries=matrix.nnz / matrix.shape[0],
            comparisons=float(of_feature[matrix.indices].sum()) / matrix.shape[0],
            steps=float(walked.trees[:, 1].sum()),
            outputs=forest.outputs,
            groups=len(tables.table_offsets),
            questions=len(tables.column),
            columns=len(columns.columns),
            segments=len(columns.value_offsets),
            features=features,
            model_bytes=sum(array.nbytes for array in arrays),
            table_bytes=columns.values.nbytes,
        )


@dataclass(frozen=True)
class Work:
    """Of a kernel: bytes of device memory and operations (arithmetic, comparisons and look-ups) for each row."""

    kernel: str
    bytes: float
    operations: float

    def seconds(self, rows: int, card: Card) -> float:
        """The least time: of memory or of arithmetic, whichever takes longer."""
        return rows * max(self.bytes / card.bandwidth, self.operations / card.arithmetic)


def works(of: Figures) -> list[Work]:
    """Of each kernel. What many blocks read, and the cache may keep, counts once a run; tables once for each block."""
    row, model = BYTES_OF_A_ROW + BYTES_OF_AN_ENTRY * of.entries, of.model_bytes / of.rows
    encoding = of.entries + 2 * of.comparisons
    tables = of.table_bytes / ROWS_OF_A_BLOCK
    return [
        Work("score_rows", row + model + 4 * of.outputs, encoding + 3 * of.steps),
        Work("find_patterns", row + model + 2 * of.groups, encoding + 3 * of.questions),
        Work("add_columns", 2 * of.columns + 4 * of.segments + tables, 2 * of.columns),
        Work("write_rows", 4 * of.segments + 4 * (of.features + 1), of.segments),
    ]


SECTOR = 32
"""Bytes of memory that the least write to a place of its own takes."""


@dataclass(frozen=True)
class ListFigures:
    """What the work of lists depends on: per user on average ``owned`` items; lists of ``k``; ``columns`` explained."""

    users: int
    items: int
    owned: float
    columns: int
    factors: int = 64
    k: int = 10

    @classmethod
    def of(cls, problem: ScoringProblem, workload: Workload) -> "ListFigures":
        """Of the records as users, and their technologies."""
        matrix = workload.technologies().matrix
        users, items = matrix.shape
        return cls(users, items, matrix.nnz / users, len(problem.forest().used_features) + 1)


def list_works(of: ListFigures) -> list[Work]:
    """Of the kernels of top_k.cu. A row is read twice; a place is found by comparing it with all others."""
    list_bytes, strands = 8 * of.k, Selection.of(of.k).strands
    ranked = strands**2 + of.k**2
    vectors = 4 * of.factors * (1 + of.k) + 8
    return [
        Work("hide_items", 8 + (4 + SECTOR) * of.owned, of.owned),
        Work("select_best", 8 * of.items + vectors + list_bytes, 2 * of.items + ranked + 2 * of.factors * of.k),
        Work("select_largest", 8 * of.columns + list_bytes, 2 * of.columns + ranked),
    ]


def list_table(of: ListFigures) -> Iterator[str]:
    """The lines of the Markdown table."""
    yield f"{of.users:,} users of {of.owned:.1f} of {of.items:,} items, {of.factors} factors, lists of {of.k}; for"
    yield f"`select_largest` rows of {of.columns:,} contributions. The float32 scores themselves are cuBLAS's work:"
    yield ""
    yield from lines_of(list_works(of), of.users)


def table(of: Figures) -> Iterator[str]:
    """The lines of the Markdown table."""
    yield f"{of.rows:,} rows of {of.entries:.1f} entries; {of.steps:,.0f} splits on the way down all trees;"
    yield f"{of.groups:,} groups of {of.questions:,} questions, {of.columns:,} columns of tables"
    yield f"({of.table_bytes / 2**20:.1f} MiB) in {of.segments:,} segments of {of.features:,} features:"
    yield ""
    yield from lines_of(works(of), of.rows)


def lines_of(works: list[Work], rows: int) -> Iterator[str]:
    """A row of the Markdown table for each kernel."""
    yield "| kernel | bytes a row | operations a row | " + " | ".join(f"{card.name}, ms" for card in CARDS) + " |"
    yield "|---" * (3 + len(CARDS)) + "|"
    for work in works:
        least = " | ".join(f"{1e3 * work.seconds(rows, card):.3f}" for card in CARDS)
        yield f"| `{work.kernel}` | {work.bytes:,.0f} | {work.operations:,.0f} | {least} |"


def main() -> None:
    """Print the table, or put it into its page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into docs/gpu-kernels.md")
    chosen = parser.parse_args()
    workload = Workload(catalogue.get("seed", 1.0), {"trees": 500, "depth": 6})
    problem = ScoringProblem.of(workload)
    lines = [*table(Figures.of(problem)), "", *list_table(ListFigures.of(problem, workload))]
    if chosen.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), lines, BEGIN, END), encoding="utf-8")
    else:
        print(*lines, sep="\n")


if __name__ == "__main__":
    main()
