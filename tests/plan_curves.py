"""Curves and rows written by hand, from functions that say what was measured."""

import numpy as np
from technobench.bench.plan.curves import Curve, Point

from .test_store import row as stored_row

HOST = {"cpu": "a processor", "architecture": "x86_64", "cores": 8, "memory_gib": 16.0, "system": "Linux 6"}


def point(at, seconds=(1.0,), **fields):
    usual = {
        "sizes": {"records": int(at)},
        "phases": {},
        "setup_seconds": None,
        "fetch_seconds": None,
        "peak_bytes": None,
        "resident_bytes": None,
        "gpu_peak_bytes": None,
        "transferred_bytes": {},
    }
    return Point(at=float(at), seconds=tuple(seconds), **{**usual, **fields})


def curve(points, axis="rows", **fields):
    usual = {
        "stage": "pipeline",
        "variant": "native",
        "device": "cpu",
        "dataset": "seed",
        "threads": None if axis == "threads" else 2,
        "parameters": {},
        "host": HOST,
        "versions": {"python": "3.13"},
        "commands": ("technobench run",),
    }
    return Curve(axis=axis, points=tuple(points), **{**usual, **fields})


def noisy(values, noise, random):
    """Values times log-normal noise of a run each."""
    return np.asarray(values) * np.exp(noise * random.normal(size=len(values)))


def timed_curve(sizes, seconds, axis="rows"):
    return curve([point(size, [each]) for size, each in zip(sizes, seconds, strict=True)], axis)


def row(seconds=(1.0, 1.1, 0.9), records=1000, **fields):
    """A right answer's row."""
    usual = {
        "variant": "native",
        "seconds": None if seconds is None else list(seconds),
        "peak_bytes": 2**30,
        "scale": records / 1000,
        "sizes": {"records": records},
        "parameters": {"trees": 500, "depth": 6, "seed": 0},
        "problem_digest": f"of {records}",
        "versions": {"python": "3.13.0", "numpy": "2.5"},
        "host": HOST,
        "command": "technobench run",
    }
    return stored_row(**{**usual, **fields})
