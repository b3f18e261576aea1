"""The features that move each record's scores most, without the contributions of all records at once."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..pipeline.forest import Forest
from .device_largest import DeviceLargest
from .device_memory import BLOCK
from .device_rows import DeviceRows
from .device_shap import DeviceShap
from .shap import explainers

_ARRAYS = 16
"""Of some rows: their contributions, and what the choice among them takes."""


class LargestContributions:
    """The k largest contributions to each output of a forest, by size.

    least_scratch_bytes: of the device's memory, to explain one row.
    """

    def __init__(self, cupy: Any, forest: Forest, k: int) -> None:
        """Make the tables and copy them to the device; the forest uses k features at least.

        Raises:
            UnsupportedModelError: as `DeviceShap` and `DeviceLargest`.
            DeviceError: as `DeviceShap`.

        """
        self._cupy, self._k, self._outputs = cupy, k, forest.outputs
        self._used = forest.used_features
        self._explainers = explainers(cupy, forest) if k else []
        self._largest = DeviceLargest(cupy, k)
        self._bytes_of_a_row = 4 * (len(self._used) + 1) + 24 * k + 64
        of_tables = max((each.scratch_bytes_of_a_row for each in self._explainers), default=0)
        self.least_scratch_bytes = 2 * (max(self._bytes_of_a_row, of_tables) + _ARRAYS * BLOCK)

    def of(self, rows: DeviceRows, scratch_bytes: int) -> tuple[Any, Any]:
        """int32[n, outputs, k] columns of the model, float32[n, outputs, k] their contributions, largest size first.

        Those that an output does not use give nothing to it. ``scratch_bytes`` are halved between the look-ups and the
        contributions of the rows that are explained at a time.
        """
        cupy, shape = self._cupy, (len(rows), self._outputs, self._k)
        features, values = cupy.zeros(shape, cupy.int32), cupy.zeros(shape, cupy.float32)
        for output, explainer in enumerate(self._explainers):
            unused = np.setdiff1d(self._used, explainer.features)
            columns = cupy.asarray(np.concatenate([explainer.features, unused]).astype(np.int32))
            for part, contributions in self._contributions(explainer, rows, scratch_bytes // 2):
                best, values[part, output] = self._largest.of(contributions)
                features[part, output] = columns[best]
                del contributions, best  # before the next ones come
        return features, values

    def _contributions(self, explainer: DeviceShap, rows: DeviceRows, room: int) -> Iterator[tuple[slice, Any]]:
        """Some rows at a time: float32[rows, features of the model + 1], of the explainer's features and then zeros."""
        cupy = self._cupy
        step = max(1, (room - _ARRAYS * BLOCK) // self._bytes_of_a_row)
        for first in range(0, len(rows), step):
            part = slice(first, min(first + step, len(rows)))
            contributions = cupy.zeros((part.stop - part.start, len(self._used) + 1), cupy.float32)
            explainer.write(rows.part(part.start, part.stop), contributions, 0, room)
            contributions[:, len(explainer.features)] = 0  # the bias is no feature's
            yield part, contributions
            del contributions
