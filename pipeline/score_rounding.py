"""How far a float32 product of two vectors can be from the exact one: what both sides' top-k keep candidates by."""

import numpy as np

_UNIT = 2.0**-24
"""Unit roundoff of float32."""
_LEAST = 2.0**-126
"""Below it float32 is denormal, and may be flushed to 0."""
_ABOVE = 1 + 1e-6
"""More than the rounding of a float64 length."""


def lengths_of(vectors: np.ndarray) -> np.ndarray:
    """float64[n], the lengths of float[n, factors], to rounding."""
    return np.sqrt(np.einsum("nf,nf->n", vectors, vectors, dtype=np.float64))


def at_least(lengths: np.ndarray) -> np.ndarray:
    """No less than the lengths are without rounding."""
    return lengths * _ABOVE


def rounding_bound(lengths: np.ndarray, longest: float, factors: int) -> np.ndarray:
    """float64[n]: what products of n vectors with any other can be off, summed in float32 in whatever order.

    At most f u |x| |y| (Higham, *Accuracy and stability of numerical algorithms*, 2002, section 3.1), and a denormal
    number for each product that is flushed to 0.

    Args:
        lengths: float64[n], `at_least` those of the vectors, none of them above 1.
        longest: at least the length of any of the others, 1 or less.
        factors: f.

    """
    return 1.01 * (factors + 2) * _UNIT * lengths * longest + 4 * factors * _LEAST
