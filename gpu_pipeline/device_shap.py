"""TreeSHAP on the device: the CPU's tables feature by feature, looked up by kernels/shap_tables.cu, and paths.

Trees that have no tables are left to `DevicePaths`.
"""

from typing import Any, NamedTuple

import numpy as np

from ..pipeline.forest import Forest
from ..pipeline.leaf_paths import LeafPaths
from ..pipeline.shap_tables import MOST_BYTES, ShapTables
from ..pipeline.shapley import mean_margin
from ..pipeline.threshold_codes import ThresholdCodes
from .cuda_source import THREADS, load
from .device_memory import BLOCK, copied
from .device_paths import DevicePaths
from .device_rows import DeviceCodes, DeviceRows

ROWS_OF_A_BLOCK = 8 * THREADS
TILE = 32
COLUMNS_OF_A_SEGMENT = 64
"""Of one feature's columns at most so many are added by one block: some features are in nearly every table."""
SCRATCH_BYTES = 256 << 20
"""At most, for the patterns, codes and sums of the rows that are explained at a time."""
SCRATCH_ARRAYS = 3
"""What these are in."""


class FeatureColumns(NamedTuple):
    """The tables of `ShapTables`, taken apart into one column for each group and feature, and put in order of features.

    feature_offsets: int32[features + 1], a feature's segments. segment_offsets: int32[segments + 1], their columns.
    value_offsets: int64[segments], where their values begin. columns: uint32, group * 16 + bits of the group.
    values: float32, 2^bits of each column, by pattern.
    """

    feature_offsets: np.ndarray
    segment_offsets: np.ndarray
    value_offsets: np.ndarray
    columns: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, tables: ShapTables, features: int) -> "FeatureColumns":
        """Of a forest with so many features, whose cells are features and the scrap."""
        pairs = np.diff(tables.pair_offsets)
        group = np.repeat(np.arange(len(pairs)), pairs)
        bits = np.diff(tables.question_offsets)[group]
        start = tables.table_offsets[group] + (np.arange(len(group)) - tables.pair_offsets[group] << bits)
        cells = tables.pairs.reshape(-1)
        order = np.argsort(cells, kind="stable")
        order = order[cells[order] < features]
        pair, half = order // 2, order % 2
        values = [tables.tables[start[p] : start[p] + (1 << bits[p]), h] for p, h in zip(pair, half, strict=True)]
        columns_of = np.bincount(cells[order], minlength=features)
        segments_of = -(-columns_of // COLUMNS_OF_A_SEGMENT)
        feature_offsets = np.append(0, np.cumsum(segments_of))
        number = np.arange(feature_offsets[-1]) - np.repeat(feature_offsets[:-1], segments_of)
        first = np.repeat(np.cumsum(columns_of) - columns_of, segments_of) + number * COLUMNS_OF_A_SEGMENT
        ends = np.append(0, np.cumsum(np.int64(1) << bits[pair]))
        return cls(
            feature_offsets=feature_offsets.astype(np.int32),
            segment_offsets=np.append(first, len(order)).astype(np.int32),
            value_offsets=ends[first].astype(np.int64),
            columns=(group[pair] * 16 + bits[pair]).astype(np.uint32),
            values=np.concatenate([np.empty(0, np.float32), *values]),
        )


class DeviceShap:
    """Exact path-dependent SHAP values of one output of a forest on a CUDA device.

    features: int32, ascending: the columns that the output's trees use. table_bytes: what their tables take.
    """

    def __init__(self, cupy: Any, forest: Forest, most_table_bytes: int = MOST_BYTES) -> None:
        """Make tables of at most so many bytes, and paths of the trees beyond them; compile the kernels.

        The forest has one output.

        Raises:
            UnsupportedModelError: as `ShapTables.of` and `DeviceCodes`.
            DeviceError: as `DeviceCodes`.

        """
        codes = ThresholdCodes.of(forest)
        tables = ShapTables.of(forest, codes, most_table_bytes)
        self.features = forest.used_features
        self.table_bytes = tables.tables.nbytes
        self._cupy, self._codes = cupy, DeviceCodes(cupy, codes)
        self._bias = np.float32(forest.base_margin[0] + mean_margin(forest))
        columns = FeatureColumns.of(tables, len(self.features))
        self._groups, self._segments = len(tables.table_offsets), len(columns.value_offsets)
        self._questions, self._columns = copied(cupy, _questions(tables)), copied(cupy, columns[1:])
        features = np.repeat(np.arange(len(self.features)), np.diff(columns.feature_offsets))
        self._paths = None
        # A tree without splits has no tables, and gives nothing to any feature.
        deep = tables.uncovered_trees[forest.feature[forest.tree_offsets[tables.uncovered_trees]] >= 0]
        if len(deep):
            self._paths = DevicePaths(cupy, LeafPaths.of(forest, codes, deep), self._codes, len(self.features))
            features = np.append(features, self._paths.features)
        # A feature's segments are those of its columns, and behind those of all columns come those of the paths.
        ends = np.cumsum(np.bincount(features, minlength=len(self.features)))
        by_feature = np.append(0, ends), np.argsort(features, kind="stable")
        self._by_feature = copied(cupy, (each.astype(np.int32) for each in by_feature))
        self._all_segments = len(features)
        module = load(cupy, "shap_tables.cu")
        self._find_patterns, self._add_columns, self._write_rows = map(
            module.get_function, ("find_patterns", "add_columns", "write_rows")
        )

    @property
    def width(self) -> int:
        """Columns of the answer: the features and the bias."""
        return len(self.features) + 1

    @property
    def scratch_bytes_of_a_row(self) -> int:
        """What `write` takes for its patterns, codes and sums."""
        codes = self._paths.scratch_bytes_of_a_row if self._paths else 0
        return 2 * self._groups + codes + 4 * self._all_segments + 1

    def write(self, rows: DeviceRows, answer: Any, first_column: int, scratch_bytes: int | None = None) -> None:
        """Fill columns of ``answer`` (float32[n, columns], on the device) from ``first_column`` on, the bias last.

        It takes ``scratch_bytes`` (`SCRATCH_BYTES`) of the device's memory at most, or what one row needs.
        """
        scratch = (SCRATCH_BYTES if scratch_bytes is None else scratch_bytes) - SCRATCH_ARRAYS * BLOCK
        step = max(1, scratch // self.scratch_bytes_of_a_row)
        for whole in (ROWS_OF_A_BLOCK, THREADS):
            if step > whole:
                step -= step % whole
                break
        for first in range(0, len(rows), step):
            last = min(first + step, len(rows))
            self._write(rows.part(first, last), answer[first:last], first_column)

    def _write(self, rows: DeviceRows, answer: Any, first_column: int) -> None:
        count = len(rows)
        sums = self._cupy.empty((self._all_segments, count), np.float32)
        if self._segments:
            self._look_up(rows, sums)
        if self._paths:
            self._paths.write(rows, sums[self._segments :])
        blocks = -(-count // TILE), -(-self.width // TILE)
        place = self._bias, np.int32(first_column), np.int32(answer.shape[1]), answer
        features = *self._by_feature, np.int32(len(self.features))
        self._write_rows(blocks, (THREADS,), (sums, np.int64(count), *features, *place))

    def _look_up(self, rows: DeviceRows, sums: Any) -> None:
        """Fill the segments of the columns."""
        count, codes = len(rows), self._codes
        patterns = self._cupy.empty((self._groups, count), np.uint16)
        arguments = (*codes.arguments(rows), *self._questions, np.int32(self._groups), patterns)
        self._find_patterns((codes.blocks(count),), (THREADS,), arguments, shared_mem=codes.shared_bytes)
        row_blocks = -(-count // ROWS_OF_A_BLOCK)
        arguments = patterns, np.int64(count), *self._columns, np.int32(row_blocks), sums
        self._add_columns((row_blocks * self._segments,), (THREADS,), arguments)


def _questions(tables: ShapTables) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets, int32; questions, uint32: coded column * 256 + rank; and by group, uint16, the bits of going left."""
    counts = np.diff(tables.question_offsets)
    bit = np.arange(len(tables.column)) - np.repeat(tables.question_offsets[:-1], counts)
    flipped = np.zeros(len(counts), np.uint16)
    np.bitwise_or.at(flipped, np.repeat(np.arange(len(counts)), counts), (~tables.rare_right << bit).astype(np.uint16))
    questions = tables.column.astype(np.uint32) * 256 + tables.rank
    return tables.question_offsets.astype(np.int32), questions, flipped
