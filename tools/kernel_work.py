"""Bytes and operations of the CUDA kernels for a row, counted from their source and the figures of a model, on paper.

What many blocks read, and the cache may keep, counts once a run; tables count once for each block of rows.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from technobench.gpu_pipeline.als_parts import slices_of
from technobench.gpu_pipeline.cuda_source import THREADS
from technobench.gpu_pipeline.device_paths import LEAVES_OF_A_SHARE, POINTS
from technobench.gpu_pipeline.device_rows import BYTES_OF_A_ROW, BYTES_OF_AN_ENTRY
from technobench.gpu_pipeline.device_shap import ROWS_OF_A_BLOCK, FeatureColumns
from technobench.gpu_pipeline.device_top_k import Selection
from technobench.pipeline.leaf_paths import LeafPaths
from technobench.pipeline.scoring import ScoringProblem
from technobench.pipeline.shap_tables import ShapTables
from technobench.pipeline.threshold_codes import ThresholdCodes
from technobench.pipeline.walked_forest import LevelOrder, Walked

STEPS = (3, 10)
"""Of conjugate gradients: those of `native-cuda`, and about what rows take until they are solved."""
_STEP, _CHECK = 24, 12
"""Operations for each coordinate, besides products with entries: of a step of conjugate gradients (M three times, three
lengths, three updates), and of a look at what is left of a residual.
"""
SECTOR = 32
"""Bytes of memory that the least write to a place of its own takes."""


@dataclass(frozen=True)
class Work:
    """Of a kernel (as Markdown): bytes of memory and operations (arithmetic, comparisons, look-ups) of each row."""

    kernel: str
    rows: int
    bytes: float
    operations: float

    def seconds(self, bandwidth: float, arithmetic: float) -> float:
        """The least time of all rows, by bytes and operations a second: whichever takes longer."""
        return self.rows * max(self.bytes / bandwidth, self.operations / arithmetic)


@dataclass(frozen=True)
class ModelFigures:
    """What the work of the kernels depends on.

    entries, comparisons, steps: per row on average: numbers stored; thresholds that these are compared with (binary
    search); splits on the paths down all trees. coded_columns: columns of thresholds. groups, questions, columns,
    segments, features: of the tables. model_bytes, table_bytes: of trees and codes, and of tables, which each block
    reads anew.
    """

    rows: int
    entries: float
    comparisons: float
    coded_columns: int
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
    def of(cls, problem: ScoringProblem) -> "ModelFigures":
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
            coded_columns=len(codes.feature),
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


def works_of_model(of: ModelFigures) -> list[Work]:
    """Of scores and of explanations by tables."""
    row, model = BYTES_OF_A_ROW + BYTES_OF_AN_ENTRY * of.entries, of.model_bytes / of.rows
    encoding = of.entries + 2 * of.comparisons
    tables = of.table_bytes / ROWS_OF_A_BLOCK
    return [
        Work("`score_rows`", of.rows, row + model + 4 * of.outputs, encoding + 3 * of.steps),
        Work("`find_patterns`", of.rows, row + model + 2 * of.groups, encoding + 3 * of.questions),
        Work("`add_columns`", of.rows, 2 * of.columns + 4 * of.segments + tables, 2 * of.columns),
        Work("`write_rows`", of.rows, 4 * of.segments + 4 * (of.features + 1), of.segments),
    ]


@dataclass(frozen=True)
class PathFigures:
    """What the work of a model's trees depends on that are explained leaf by leaf.

    leaves, players: how many, of all leaves. operations: for a row, of all leaves. columns, segments: the coded columns
    that each share of the leaves reads, and the sums that it has. path_bytes: of the leaves' paths.
    """

    leaves: int
    players: int
    operations: float
    columns: int
    segments: int
    path_bytes: int

    @classmethod
    def of(cls, problem: ScoringProblem) -> "PathFigures":
        """Of all trees of a model of one output, each with a split."""
        forest = problem.forest()
        paths = LeafPaths.of(forest, ThresholdCodes.of(forest), np.arange(len(forest.tree_number)))
        players = np.diff(paths.player_offsets)
        questions = np.diff(paths.question_offsets[paths.player_offsets])
        rules = -(-players // (2 * POINTS))
        # A player is a factor and then a gain, paid, at each point; a question is a look-up and two comparisons.
        operations = rules * ((3 * POINTS + 1) * players + 3 * questions)
        share = np.arange(len(players)) // LEAVES_OF_A_SHARE
        columns = np.repeat(share, questions) * len(forest.feature) + paths.column
        segments = np.repeat(share, players) * forest.features + paths.slot
        return cls(
            leaves=len(players),
            players=len(paths.slot),
            operations=float(operations.sum()),
            columns=len(np.unique(columns)),
            segments=len(np.unique(segments)),
            path_bytes=8 * len(players) + 12 * len(paths.slot) + 8 * len(paths.column),
        )


def works_of_paths(of: ModelFigures, paths: PathFigures) -> list[Work]:
    """Of explanations leaf by leaf; a sum is written as 0 and again, and lies in a cache between."""
    row, model = BYTES_OF_A_ROW + BYTES_OF_AN_ENTRY * of.entries, of.model_bytes / of.rows
    moved = paths.columns + 8 * paths.segments + paths.path_bytes / THREADS
    return [
        Work("`write_codes`", of.rows, row + model + of.coded_columns, of.entries + 2 * of.comparisons),
        Work("`add_paths`", of.rows, moved, paths.operations),
        Work("`write_rows`", of.rows, 4 * paths.segments + 4 * (of.features + 1), paths.segments),
    ]


@dataclass(frozen=True)
class Side:
    """Users or items: rows, those of the other side, entries of a row on average, and slices of all rows."""

    name: str
    rows: int
    others: int
    entries: float
    slices: int

    @classmethod
    def of(cls, name: str, lengths: np.ndarray, others: int) -> "Side":
        """For int64[rows] entries of each row."""
        return cls(name, len(lengths), others, float(lengths.mean()), int(slices_of(lengths).sum()))

    @classmethod
    def users(cls, matrix: sp.csr_matrix) -> "Side":
        """All users of interactions."""
        return cls.of("users", np.diff(matrix.indptr), matrix.shape[1])

    @classmethod
    def alone_and_shared(cls, matrix: sp.csr_matrix) -> tuple[list["Side"], list["Side"]]:
        """The rows of each side that a block of ALS has to itself, and those that blocks share, if there are any."""
        alone, shared = [], []
        counts = np.diff(matrix.indptr), np.bincount(matrix.indices, minlength=matrix.shape[1])
        for name, lengths, others in zip(("users", "items"), counts, matrix.shape[::-1], strict=True):
            long = slices_of(lengths) > 0
            alone.append(cls.of(name, lengths[~long], others))
            if long.any():
                shared.append(cls.of(name, lengths[long], others))
        return alone, shared


def works_of_als(side: Side, width: int) -> list[Work]:
    """Of each kernel that solves rows of ALS by themselves, vectors of so many factors.

    A product with the entries' vectors is two operations a number, and one that is summed by coordinates two more. Rows
    by Cholesky are solved once, and looked at before and after that.
    """
    numbers, products = 4 * width, 4 * side.entries * width
    row = BYTES_OF_A_ROW + BYTES_OF_AN_ENTRY * side.entries + 2 * numbers
    moved = row + side.others * numbers / side.rows + 4 + 4 + 8  # order, lambda, loss
    look = products + _CHECK * width
    equations = side.entries * width * (width + 1) + width**3 / 3 + 2 * width**2
    of_steps = [(steps, look + steps * (products + _STEP * width) - products / 2) for steps in STEPS]
    return [
        *(Work(f"`improve_rows`, {steps} steps, {side.name}", side.rows, moved, done) for steps, done in of_steps),
        Work(f"`solve_rows`, {side.name}", side.rows, moved, 2 * look + equations),
    ]


def works_of_shared_rows(side: Side, width: int) -> list[Work]:
    """Of the kernels that solve rows of ALS which blocks share, each called once.

    A slice is read once: for its triangle, a look, and what it comes to. A step is a product with the triangle.
    """
    numbers, triangle, entries = 4 * width, width * (width + 1) / 2, side.entries * side.rows / side.slices
    sums = 4 * triangle + numbers + 8
    read = BYTES_OF_AN_ENTRY * entries + numbers + side.others * numbers / side.slices + 4
    added = side.slices / side.rows * (triangle + width)
    row = side.slices / side.rows * sums + 2 * numbers + 4 + 4 + 8
    of_steps = [(steps, added + _CHECK * width + steps * (2 * width**2 + _STEP * width)) for steps in STEPS]
    factorised = added + _CHECK * width + width**3 / 3 + 2 * width**2
    return [
        Work(f"`sum_slices`, {side.name}", side.slices, read + sums, entries * width * (width + 1 + 4)),
        *(Work(f"`improve_shared_rows`, {steps} steps, {side.name}", side.rows, row, done) for steps, done in of_steps),
        Work(f"`solve_shared_rows`, {side.name}", side.rows, row, factorised),
    ]


def works_of_lists(users: Side, width: int, k: int, columns: int) -> list[Work]:
    """Of lists of k for users, and of the k largest of rows of so many contributions.

    A row is read twice; a place is found by comparing it with all others.
    """
    lists, strands = 8 * k, Selection.of(k).strands
    ranked = strands**2 + k**2
    scores, vectors = 4 * users.others, 4 * width * (1 + k) + 8
    return [
        Work("`hide_items`", users.rows, 8 + (4 + SECTOR) * users.entries, users.entries),
        Work("`select_best`", users.rows, 2 * scores + vectors + lists, scores / 2 + ranked + 2 * width * k),
        Work("`select_largest`", users.rows, 8 * columns + lists, 2 * columns + ranked),
    ]
