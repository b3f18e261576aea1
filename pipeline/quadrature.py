"""Gauss-Legendre quadrature from 0 to 1, which makes a Shapley value a sum over points (`shapley.by_integral`)."""

import numpy as np


def unit_points(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Points, ascending, and their weights, float64[number] both; exact for polynomials up to degree 2 * number - 1."""
    at, weight = np.polynomial.legendre.leggauss(number)
    return (at + 1) / 2, weight / 2


def unit_quadrature(most: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights, float64[most + 1, most] both: those of `unit_points` for n points in row n."""
    points, weights = np.zeros((2, most + 1, most))
    for number in range(1, most + 1):
        points[number, :number], weights[number, :number] = unit_points(number)
    return points, weights
