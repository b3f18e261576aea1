"""The technologies of the `seed` generator: their names, how often each segment uses them, and what they tell."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..streams import Stream, WeightedChoice
from .names import technology_names

TECHNOLOGIES = 6_720
SEGMENTS = 12
LATE_SOURCE_BEGINS = 0.4968
"""The share of the records, in order, that were gathered before the late source was added."""

_CATEGORIES = 109
_AFFINITY_SPREAD = 0.7
_LATE_SHARE, _LATE_RATE = 0.0908, 0.60
_LATE_FROM_RANK = 300
_SIGNALS, _SIGNAL_RANKS = 40, 280
_SIGNAL_SPREAD = 2.0
_SEGMENT_SPREAD = 2.0
_LABEL_INTERCEPT = -4.4


@dataclass(frozen=True)
class Catalogue:
    """What is known of technologies and segments before any record is drawn.

    names: by rank of popularity, distinct after normalising.
    choice: picks a technology; group ``segment + SEGMENTS * late`` holds the records of a segment before (0) or after
        (1) the late source began.
    segment_effects: float64, (SEGMENTS,), log-odds of the label in each segment, for a record without signals.
    signals: float64, (TECHNOLOGIES,), what each technology adds to the log-odds; 0 for all but the signals.
    """

    names: tuple[str, ...]
    choice: WeightedChoice
    segment_effects: NDArray[np.float64]
    signals: NDArray[np.float64]

    @classmethod
    def create(cls) -> "Catalogue":
        """The catalogue, the same at every scale."""
        stream = Stream(0)
        names = technology_names(TECHNOLOGIES, stream)
        late = (np.arange(TECHNOLOGIES) >= _LATE_FROM_RANK) & (stream.uniform(TECHNOLOGIES) < _LATE_SHARE)
        affinities = np.exp(_AFFINITY_SPREAD * stream.normal(SEGMENTS, _CATEGORIES))
        used = _popularity() * affinities[:, stream.index(_CATEGORIES, TECHNOLOGIES)]
        by_group = np.concatenate([np.where(late, 0, used), np.where(late, _LATE_RATE * used, used)])
        signals = np.zeros(TECHNOLOGIES)
        signals[: _SIGNAL_RANKS : _SIGNAL_RANKS // _SIGNALS] = _SIGNAL_SPREAD * stream.normal(_SIGNALS)
        effects = _LABEL_INTERCEPT + _SEGMENT_SPREAD * stream.normal(SEGMENTS)
        return cls(names, WeightedChoice(by_group), effects, signals)


def _popularity() -> NDArray[np.float64]:
    """Relative weights of shape (TECHNOLOGIES,): Zipf-Mandelbrot, with a head that nearly every company uses."""
    rank = np.arange(1, TECHNOLOGIES + 1, dtype=np.float64)
    weights = (rank + 63.46) ** -1.61
    weights[:20] *= 25 / np.sqrt(rank[:20])
    return weights
