"""The features that move each record's scores most, without the contributions of all records at once."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..pipeline.forest import Forest
from .device_largest import take_largest
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
            UnsupportedModelError, DeviceError: as `DeviceShap`.

        """
        self._cupy, self._k, self._outputs = cupy, k, forest.outputs
        self._used = forest.used_features
        self._explainers = explainers(cupy, forest) if k else []
        widest = max((each.width for each in self._explainers), default=0)
        self._bytes_of_a_row = 4 * (widest + 2 * len(self._used)) + 32 * k + 64
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
                best, _ = take_largest(cupy, abs(contributions), self._k)
                begins = cupy.arange(len(best))[:, None] * columns.size
                features[part, output] = columns[best]
                values[part, output] = contributions.reshape(-1)[begins + best]
                del contributions, best, begins  # before the next ones come
        return features, values

    def _contributions(self, explainer: DeviceShap, rows: DeviceRows, room: int) -> Iterator[tuple[slice, Any]]:
        """Some rows at a time: float32[rows, features of the model], of the explainer's features and then zeros."""
        cupy, used = self._cupy, len(explainer.features)
        step = max(1, (room - _ARRAYS * BLOCK) // self._bytes_of_a_row)
        for first in range(0, len(rows), step):
            part = slice(first, min(first + step, len(rows)))
            written = cupy.empty((part.stop - part.start, explainer.width), cupy.float32)
            explainer.write(rows.part(part.start, part.stop), written, 0, room)
            contributions = cupy.zeros((len(written), len(self._used)), cupy.float32)
            contributions[:, :used] = written[:, :used]
            del written
            yield part, contributions
            del contributions
