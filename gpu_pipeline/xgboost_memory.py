"""What XGBoost's CUDA predictor takes of the device's memory, and so how many records it gets at a time.

A model of it, never measured, with what it must hold counted twice. A record is its row pointer and 8 bytes an entry
(column, value); scores are one float for each output; explanations are dense. The trees are taken for four times the
bytes of the saved model.
"""

import numpy as np
import scipy.sparse as sp

from ..pipeline.scoring import ScoringProblem, margins
from .device_memory import batches, bytes_before

_DOUBLED = 2
_ROW, _ENTRY, _FLOAT = 8, 8, 4
_OF_MODEL = 4


def scored_at_a_time(problem: ScoringProblem, left: int) -> list[tuple[int, int]]:
    """First and end of each batch of records to score within ``left`` bytes.

    Raises:
        DeviceError: a record does not fit by itself.

    """
    return batches(_needed(problem, _outputs(problem)), left - _OF_MODEL * len(problem.model))


def explained_at_a_time(problem: ScoringProblem, left: int) -> int:
    """Records to explain at a time within ``left`` bytes, whichever they are.

    Raises:
        DeviceError: a record does not fit by itself.

    """
    needed = _needed(problem, _outputs(problem) * (len(problem.columns) + 1))
    room = left - _OF_MODEL * len(problem.model)
    batches(needed, room)
    return max(1, room // int(np.diff(needed).max(initial=1)))


def _outputs(problem: ScoringProblem) -> int:
    """How many margins a record has."""
    nothing = sp.csr_matrix((1, problem.matrix.shape[1]), dtype=np.float32)
    return margins(problem.booster(), nothing).size


def _needed(problem: ScoringProblem, numbers: int) -> np.ndarray:
    """int64[n + 1]: bytes for the records before each one, whose answers have so many numbers."""
    counts = np.diff(problem.matrix.indptr)
    return bytes_before(counts, _DOUBLED * _ENTRY, _DOUBLED * (_ROW + numbers * _FLOAT))
