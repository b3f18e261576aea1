"""Change points: where the level of a series steps, by the ranks of its values alone, whatever their distribution.

Two shapes are looked for. A *step* is a cut with other values before than behind it (Pettitt, *A non-parametric
approach to the change-point problem*, Appl. Statist. 28, 1979). An *episode* is a stretch with other values than before
and behind it, such as a slow-down that was mended, which no single cut shows (Olshen et al., *Circular binary
segmentation*, Biostatistics 5, 2004). The clearer one cuts the series if a permutation test (`rank_scan`) finds it
significant, and each part is looked at again.

Where nothing changed, values must be as likely in one order as in any other. A slow drift is a change, and is told as
one or several steps.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .rank_scan import RankScan

LEAST_SEGMENT = 3
"""Values between two change points, and at either end: one or two that stand out are outliers."""
ALPHA = 0.05
"""Probability of any change point where there is none, over all series that are looked at together."""
_SHAPES = 2


@dataclass(frozen=True)
class ChangePoint:
    """A new level from the value at ``index`` on.

    step: median of the values up to the next change point less that of the values since the one before.
    probability: corrected for the number of tests; at most ``alpha``.
    """

    index: int
    step: float
    probability: float


def change_points(values: Sequence[float], alpha: float = ALPHA, series: int = 1) -> list[ChangePoint]:
    """The change points of a series, in order; none where it is too short to tell.

    Each part of the series gets the share of alpha that it has of the values, and its probability is at least that of
    the part it was cut from (Meinshausen, *Hierarchical testing of variable importance*, Biometrika 95, 2008). The same
    values give the same answer at every call.

    Args:
        values: finite numbers in order.
        alpha: probability of any change point where there is none.
        series: how many series are looked at together; each gets an equal share of alpha (Bonferroni).

    """
    sample = np.asarray(values, np.float64)
    found: dict[int, float] = {}
    parts = [(0, len(sample), 0.0)]
    while parts:
        start, stop, above = parts.pop()
        if stop - start < 2 * LEAST_SEGMENT:
            continue
        tests = _SHAPES * series * len(sample) / (stop - start)
        cuts, probability = _cuts(sample[start:stop], alpha / tests)
        if cuts:
            probability = max(above, tests * probability)
            inside = [start + cut for cut in cuts]
            found |= dict.fromkeys(inside, probability)
            parts += [(first, last, probability) for first, last in itertools.pairwise([start, *inside, stop])]
    return _sized(sample, _settled(sample, found, alpha))


def _cuts(values: np.ndarray, level: float) -> tuple[tuple[int, ...], float]:
    """Where to cut a part, and the probability of what is there; nowhere, if neither shape is seen at ``level``."""
    scan = RankScan(values)
    shapes = [stretches for stretches in (_steps(len(values)), _episodes(len(values))) if len(stretches)]
    surprises = [scan.surprises(stretches) for stretches in shapes]
    for shape in sorted(range(len(shapes)), key=lambda shape: -surprises[shape].max()):
        clearest = int(surprises[shape].argmax())
        probability = scan.probability(shapes[shape], surprises[shape][clearest], level)
        if probability <= level:
            return tuple(int(end) for end in shapes[shape][clearest] if end), probability
    return (), 1.0


def _steps(count: int) -> np.ndarray:
    """int[m, 2]: the stretches up to each cut."""
    places = np.arange(LEAST_SEGMENT, count - LEAST_SEGMENT + 1)
    return np.column_stack([np.zeros_like(places), places])


def _episodes(count: int) -> np.ndarray:
    """int[m, 2]: the stretches with enough values in them, before them and behind them."""
    ends = np.arange(LEAST_SEGMENT, count - LEAST_SEGMENT + 1)
    starts, stops = np.meshgrid(ends, ends, indexing="ij")
    inside = stops - starts >= LEAST_SEGMENT
    return np.column_stack([starts[inside], stops[inside]])


def _settled(sample: np.ndarray, found: dict[int, float], alpha: float) -> dict[int, float]:
    """The cuts where they fit best between their neighbours, without those that are none there.

    A first cut is misled by steps that are not found yet (Bai, *Estimating multiple breaks one at a time*, Econometric
    Theory 13, 1997). Cuts are left out or moved, never added, so that the promise of alpha holds.
    """
    cuts = sorted(found.items())
    for _ in range(len(cuts)):
        before, place = list(cuts), 0
        while place < len(cuts):
            start = cuts[place - 1][0] if place else 0
            stop = cuts[place + 1][0] if place + 1 < len(cuts) else len(sample)
            scan, steps = RankScan(sample[start:stop]), _steps(stop - start)
            if scan.probability(steps, float(scan.surprises(steps).max()), alpha) > alpha:
                del cuts[place]
            else:
                cuts[place] = start + _best_fit(sample[start:stop]), cuts[place][1]
                place += 1
        if cuts == before:
            break
    return dict(cuts)


def _best_fit(values: np.ndarray) -> int:
    """Where to cut so that the values are nearest to the medians of the two parts: ranks hide how far a step goes."""
    cuts = _steps(len(values))[:, 1]
    parts = ((values[:cut], values[cut:]) for cut in cuts)
    distances = [sum(float(np.abs(part - np.median(part)).sum()) for part in both) for both in parts]
    return int(cuts[int(np.argmin(distances))])


def _sized(sample: np.ndarray, found: dict[int, float]) -> list[ChangePoint]:
    """The change points at the indices ``found``, with their steps and those probabilities."""
    indices = sorted(found)
    levels = [float(np.median(part)) for part in np.split(sample, indices)] if indices else []
    steps = [after - before for before, after in itertools.pairwise(levels)]
    return [ChangePoint(index, step, found[index]) for index, step in zip(indices, steps, strict=True)]
