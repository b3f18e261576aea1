"""The synthetic dataset with the shape of the seed report; `generator` makes it."""

from .generator import BATCH, MAKERS

__all__ = ["BATCH", "MAKERS"]
