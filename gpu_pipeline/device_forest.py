"""A forest on the device, scored by kernels/forest.cu."""

from typing import Any

import numpy as np

from ..pipeline.forest import Forest
from ..pipeline.threshold_codes import ThresholdCodes
from ..pipeline.walked_forest import LevelOrder, Walked
from .cuda_source import THREADS, load
from .device_memory import copied
from .device_rows import DeviceCodes, DeviceRows


class DeviceForest:
    """Scores of an XGBoost model on a CUDA device, the same decisions as XGBoost's own; leaves are added in float64."""

    def __init__(self, cupy: Any, forest: Forest) -> None:
        """Copy the trees to the device and compile the kernel.

        Raises:
            UnsupportedModelError, DeviceError: as `DeviceCodes`.

        """
        codes = ThresholdCodes.of(forest)
        walked = Walked.of(forest, codes, LevelOrder.of(forest))
        by_output = np.argsort(forest.tree_output, kind="stable")
        first_trees = np.searchsorted(forest.tree_output[by_output], np.arange(forest.outputs + 1)).astype(np.int32)
        arrays = walked.trees[by_output], first_trees, walked.nodes, walked.leaf_value, forest.base_margin
        self._cupy, self._outputs = cupy, forest.outputs
        self._codes = DeviceCodes(cupy, codes)
        self._arrays = copied(cupy, arrays)
        self._score_rows = load(cupy, "forest.cu").get_function("score_rows")

    def margins(self, rows: DeviceRows) -> Any:
        """float32[n, outputs] on the device."""
        margins = self._cupy.empty((len(rows), self._outputs), np.float32)
        if len(rows):
            arguments = (*self._codes.arguments(rows), *self._arrays, np.int32(self._outputs), margins)
            blocks, shared = self._codes.blocks(len(rows)), self._codes.shared_bytes
            self._score_rows((blocks,), (THREADS,), arguments, shared_mem=shared)
        return margins
