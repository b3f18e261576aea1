"""Trees that have no pattern tables on the device: their leaves, explained path by path by kernels/shap_paths.cu."""

from typing import Any

import numpy as np

from ..pipeline.leaf_paths import LeafPaths
from ..pipeline.quadrature import unit_points
from .cuda_source import THREADS, load
from .device_memory import copied
from .device_rows import DeviceCodes, DeviceRows

POINTS, PLAYERS = 8, 32
"""Points of the quadrature, and players of a path, that the kernel has at a time."""
LEAVES_OF_A_SHARE = 256
"""So few that a float32 sum of what they give is as good as its digits, and that there are blocks for every device."""


class DevicePaths:
    """The leaves of some trees on a CUDA device, in shares; what a share gives to a feature is a segment.

    features: int64[segments], the feature of each segment, as a position in ``used_features``.
    """

    def __init__(self, cupy: Any, paths: LeafPaths, codes: DeviceCodes, features: int) -> None:
        """Copy leaves of a forest that uses so many features to the device, and compile the kernels; one at least.

        Raises:
            DeviceError: they do not fit into the device's memory.

        """
        self._cupy, self._codes = cupy, codes
        players = np.diff(paths.player_offsets)
        first_leaves = np.append(np.arange(0, len(players), LEAVES_OF_A_SHARE), len(players))
        self._shares = len(first_leaves) - 1
        share = np.repeat(np.arange(len(players)) // LEAVES_OF_A_SHARE, players)
        key, segment = np.unique(share * features + paths.slot, return_inverse=True)
        self.features = key % features
        self._arrays = copied(
            cupy,
            (
                first_leaves.astype(np.int32),
                np.searchsorted(key // features, np.arange(self._shares + 1)).astype(np.int32),
                paths.worth,
                paths.player_offsets.astype(np.int32),
                paths.absent,
                segment.astype(np.int32),
                paths.question_offsets.astype(np.int32),
                _questions(paths),
                _points(int(players.max())),
            ),
        )
        module = load(cupy, "shap_paths.cu")
        self._write_codes, self._add_paths = map(module.get_function, ("write_codes", "add_paths"))

    @property
    def scratch_bytes_of_a_row(self) -> int:
        """What `write` takes for its codes."""
        return self._codes.columns

    def write(self, rows: DeviceRows, sums: Any) -> None:
        """Fill ``sums``, float32[segments, n] on the device; there is a row at least."""
        count, columns = len(rows), self._codes.columns
        codes = self._cupy.empty((columns, count), np.uint8)
        arguments = *self._codes.arguments(rows), np.int32(columns), codes
        shared = self._codes.shared_bytes
        self._write_codes((self._codes.blocks(count),), (THREADS,), arguments, shared_mem=shared)
        row_blocks = -(-count // THREADS)
        arguments = codes, np.int64(count), *self._arrays, np.int32(row_blocks), sums
        self._add_paths((row_blocks * self._shares,), (THREADS,), arguments)


def _questions(paths: LeafPaths) -> np.ndarray:
    """uint32[questions, 2]: coded column; low + 2^8 * span + 2^17 * the player's number in its leaf, modulo PLAYERS."""
    number = np.arange(len(paths.absent)) - np.repeat(paths.player_offsets[:-1], np.diff(paths.player_offsets))
    player = np.repeat(number % PLAYERS, np.diff(paths.question_offsets))
    asked = paths.low + (paths.span.astype(np.uint32) << 8) + (player.astype(np.uint32) << 17)
    return np.column_stack([paths.column, asked]).astype(np.uint32)


def _points(most_players: int) -> np.ndarray:
    """float32[points, 4]: t, 1 - t, weight, -1 / (1 - t), by rules of POINTS, 2 * POINTS, ... points."""
    rules = [unit_points(POINTS * (rule + 1)) for rule in range(-(-most_players // (2 * POINTS)))]
    t, weight = (np.concatenate(each) for each in zip(*rules, strict=True))
    return np.column_stack([t, 1 - t, weight, -1 / (1 - t)]).astype(np.float32)
