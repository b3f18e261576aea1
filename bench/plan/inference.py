"""What few noisy points say of a curve's shape: the posterior of two coordinates of it, over a grid, and of new points.

A quantity is ``scale * shape(x) * noise``: the shape has one or two coordinates, the noise is log-normal, of a run and
not of a round. Scale and variance are integrated out in closed form (flat, and scaled inverse chi-square: the moderated
variance of Smyth 2004, section 3), so that points which happen to lie on a curve do not make an interval of no width;
the coordinates are summed over a grid, and over a finer one where the first has found the mass.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

_LOST = 1.0
"""Degrees of freedom that a new run has less than the posterior: without them its intervals hold 83 to 87 % where runs
differ by 10 %, more than is believed beforehand.
"""
_DRAWS = 4000
_CELLS = 48
"""Of each coordinate, in both grids."""
_NEGLIGIBLE = 14.0
"""Cells whose log weight is so far below the best are outside of the second grid."""


class RunNoise(NamedTuple):
    """What is thought beforehand of how runs of the same differ on a shared machine.

    deviation: relative standard deviation. freedom: degrees of freedom, so many points' worth of belief.
    """

    deviation: float
    freedom: float


OF_SIZES = RunNoise(0.04, 1.0)


@dataclass(frozen=True)
class Axis:
    """A coordinate of a shape from low to high, and what is thought of it before.

    absent: probability that it is minus infinity, where a part of the shape is absent.
    likely: logarithm of how likely coordinates are beside one another, up to a constant; None where all are alike.
    """

    low: float
    high: float
    absent: float = 0.0
    likely: Callable[[np.ndarray], np.ndarray] | None = None

    def cells(self, window: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates of the cells of a grid over a window, and the logarithms of their prior weights."""
        if self.low == self.high:
            return np.array([self.low]), np.zeros(1)
        centres, step = _centres(window)
        whole, whole_step = _centres((self.low, self.high))
        weights = self._density(centres) * step / np.sum(self._density(whole) * whole_step)
        if not self.absent:
            return centres, np.log(weights)
        return np.append(centres, -np.inf), np.log(np.append((1 - self.absent) * weights, self.absent))

    def _density(self, coordinates: np.ndarray) -> np.ndarray:
        return np.ones_like(coordinates) if self.likely is None else np.exp(self.likely(coordinates))

    def around(self, kept: np.ndarray, window: tuple[float, float]) -> tuple[float, float]:
        """The window of the cells that have weight, and one more on either side."""
        finite = kept[np.isfinite(kept)]
        if len(finite) == 0:
            return window
        step = (window[1] - window[0]) / _CELLS
        return max(self.low, float(finite.min()) - step), min(self.high, float(finite.max()) + step)


def _centres(window: tuple[float, float]) -> tuple[np.ndarray, float]:
    """The middles of the cells of a window, and their width."""
    edges = np.linspace(*window, _CELLS + 1)
    return (edges[:-1] + edges[1:]) / 2, float(edges[1] - edges[0])


LogShape = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Logarithm of the shape, from both coordinates (cells x 1) and x (points): cells x points."""


@dataclass(frozen=True)
class Draws:
    """Draws from the posterior: both coordinates, log scale, and the log noise of a new run; float64[draws] each."""

    log_shape: LogShape
    first: np.ndarray
    second: np.ndarray
    log_scale: np.ndarray
    log_noise: np.ndarray

    def at(self, x: float) -> np.ndarray:
        """A new run at x, float64[draws]."""
        shape = self.log_shape(self.first[:, None], self.second[:, None], np.array([x]))[:, 0]
        return np.exp(np.clip(self.log_scale + shape + self.log_noise, -700, 700))


def infer(
    log_shape: LogShape,
    axes: tuple[Axis, Axis],
    x: Sequence[float],
    values: Sequence[float],
    noise: RunNoise = OF_SIZES,
) -> Draws:
    """What values, all above 0, at x say of scale and shape.

    What the points do not tell, the axes and ``noise`` do. The draws are the same at every call, so that those of
    several fits share their noise, as phases of one run do: sums of draws have the wider interval.
    """
    at, logs = np.asarray(x, np.float64), np.log(np.asarray(values, np.float64))
    windows = (axes[0].low, axes[0].high), (axes[1].low, axes[1].high)
    cells = _weighted(log_shape, axes, windows, at, logs, noise)
    kept = cells.log_weights > cells.log_weights.max() - _NEGLIGIBLE
    windows = axes[0].around(cells.first[kept], windows[0]), axes[1].around(cells.second[kept], windows[1])
    cells = _weighted(log_shape, axes, windows, at, logs, noise)
    random = np.random.default_rng(0)
    chances = np.exp(cells.log_weights - cells.log_weights.max())
    drawn = random.choice(len(chances), _DRAWS, p=chances / chances.sum())
    deviation = np.sqrt(cells.squares[drawn] / random.chisquare(noise.freedom + len(at) - 1 - _LOST, _DRAWS))
    return Draws(
        log_shape,
        cells.first[drawn],
        cells.second[drawn],
        cells.log_scales[drawn] + deviation / np.sqrt(len(at)) * random.standard_normal(_DRAWS),
        deviation * random.standard_normal(_DRAWS),
    )


@dataclass(frozen=True)
class _Cells:
    """A grid's cells, float64[cells] each: coordinates, log weights, and of their fit the log scale and the squares."""

    first: np.ndarray
    second: np.ndarray
    log_weights: np.ndarray
    log_scales: np.ndarray
    squares: np.ndarray


def _weighted(
    log_shape: LogShape,
    axes: tuple[Axis, Axis],
    windows: tuple[tuple[float, float], tuple[float, float]],
    at: np.ndarray,
    logs: np.ndarray,
    noise: RunNoise,
) -> _Cells:
    """The posterior over a grid on the windows of both coordinates."""
    (first, first_weights), (second, second_weights) = (
        axis.cells(window) for axis, window in zip(axes, windows, strict=True)
    )
    firsts, seconds = (each.ravel() for each in np.meshgrid(first, second, indexing="ij"))
    left = logs - log_shape(firsts[:, None], seconds[:, None], at)
    scales = left.mean(axis=1)
    squares = np.sum((left - scales[:, None]) ** 2, axis=1) + noise.freedom * noise.deviation**2
    prior = np.add.outer(first_weights, second_weights).ravel()
    return _Cells(firsts, seconds, prior - (noise.freedom + len(at) - 1) / 2 * np.log(squares), scales, squares)


def middle_95(draws: np.ndarray) -> tuple[float, float, float]:
    """Median, and the bounds of the middle 95 %."""
    low, median, high = np.percentile(draws, [2.5, 50, 97.5])
    return float(median), float(low), float(high)
